//! What the page shows of Fineract, when an operator asks.

use sqlx::PgPool;

use super::visitor::Visitor;
use crate::support::{
    OPS_TOKEN,
    fixtures::{approve, client, disburse, loan, repayment},
    operators::uuid,
    system::System,
};

#[sqlx::test]
async fn a_payment_is_compared_with_what_was_asked_for(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("C-1")).await;
    gateway.succeeds("LOAN_CREATE", loan("L-1", "C-1")).await;
    gateway.succeeds("LOAN_APPROVE", approve("L-1")).await;
    let paid = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    gateway.end_of(&paid).await;
    let repaid = gateway.send("LOAN_REPAYMENT", repayment("L-1", 10.0)).await;
    gateway.end_of(&repaid).await;
    let lost = gateway
        .send("LOAN_REPAYMENT", repayment("L-404", 10.0))
        .await;
    gateway.end_of(&lost).await;
    let mut visitor = Visitor::new(gateway.address);
    visitor.sign_in("admin", OPS_TOKEN).await;
    for (id, expected) in [
        // No amount was asked for: it pays the whole loan.
        (&paid, "<b>there</b>"),
        (&repaid, "there, with the amount that was asked for"),
        (&lost, "not there ("),
    ] {
        let form = visitor.form(&page_of(id), "/ask").await;
        let page = visitor.submit(&form, &[]).await;
        assert!(page.text.contains(expected), "{expected}: {}", page.text);
    }
}

fn page_of(id: &str) -> String {
    format!("/ops/operations/{}", uuid(id))
}
