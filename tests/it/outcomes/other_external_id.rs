//! A Fineract whose database does not distinguish two external ids, such as `É-1` and `E-1`.

use sqlx::PgPool;

use super::Bench;
use crate::support::fixtures::{
    LOAN_DONE, approve, disburse, rename, show_loan, shown_approved, shown_loan,
};

const SENT_EXACTLY: &str = "Not sent: the client or loan that Fineract finds has another external id, which Fineract's \
                            database does not distinguish from this one; send the external id exactly as Fineract \
                            shows it";

/// A bench whose Fineract shows loan `L-1` also for `Ł-1`, and client `C-1` also for `Ç-1`.
async fn bench(pool: PgPool) -> Bench {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    let fake = &bench.fake;
    fake.reads("/loans/external-id/%C5%81-1?", &shown_approved("gateway"));
    let client = r#"200 {"id":7,"externalId":"C-1","active":true,"officeId":1,"timeline":{}}"#;
    fake.reads("/clients/external-id/%C3%87-1", client);
    fake.answers("disburse", &[LOAN_DONE]);
    bench
}

/// The lanes of the two are different, so only one of two such payouts may be sent.
#[sqlx::test]
async fn a_loan_is_paid_only_under_the_id_that_fineract_shows(pool: PgPool) {
    let bench = bench(pool).await;
    let gateway = bench.gateway().await;
    let other = gateway.send("LOAN_DISBURSE", disburse("Ł-1")).await;
    let end = gateway.end_of(&other).await;
    assert_eq!(end["status"], "failed", "{end}");
    assert_eq!(end["error_message"], SENT_EXACTLY);
    assert_eq!(bench.fake.commands().len(), 0);
    let shown = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    assert_eq!(gateway.end_of(&shown).await["status"], "success");
}

#[sqlx::test]
async fn no_other_command_is_sent_to_it(pool: PgPool) {
    let bench = bench(pool).await;
    bench
        .fake
        .reads("/loans/external-id/%C5%81-1?", &shown_loan(&[]));
    let gateway = bench.gateway().await;
    for (operation_type, payload) in [
        ("LOAN_APPROVE", approve("Ł-1")),
        ("CLIENT_UPDATE", rename("Ç-1")),
    ] {
        let id = gateway.send(operation_type, payload).await;
        let end = gateway.end_of(&id).await;
        assert_eq!(end["error_message"], SENT_EXACTLY, "{operation_type}");
    }
    assert_eq!(bench.fake.commands().len(), 0);
}

/// Lanes ignore case, so an id that differs only in case is the same client or loan.
#[sqlx::test]
async fn an_id_that_differs_in_case_is_the_same(pool: PgPool) {
    let bench = bench(pool).await;
    bench
        .fake
        .reads("/loans/external-id/l-1?", &shown_approved("gateway"));
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("l-1")).await;
    assert_eq!(gateway.end_of(&id).await["status"], "success");
}
