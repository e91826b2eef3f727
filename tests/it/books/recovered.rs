//! The procedures of `docs/RECOVERY.md` for a restored Fineract.

use fineract_gateway::store::{self, Pool};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::bed::Bed;
use crate::support::{caller::Caller, fixtures, operators::Operator};

const REASON: &str = "Fineract restored to 10:00 UTC";

fn repayment(reference: &str) -> Value {
    let mut repayment = fixtures::repayment("L-A", 500.0);
    repayment["utr_payment_id"] = json!(reference);
    repayment
}

/// Disburses a loan, and sends a repayment whose result stays unknown. Then puts everything on hold and restores
/// Fineract without data. Returns the gateway and the id of the repayment.
async fn restored(bed: &Bed) -> (Caller, String) {
    let gateway = bed.gateway().await;
    gateway.pay_out("L-A").await;
    let open = bed
        .lose_answer(&gateway, "LOAN_REPAYMENT", repayment("UTR-1"))
        .await;
    let pool = Pool::from(bed.pool.clone());
    store::hold_all(&pool, REASON, "admin").await.unwrap();
    bed.restore_to_nothing().await;
    (gateway, open)
}

/// Performs steps 2 and 5 of case 2.
async fn confirm(bed: &Bed, gateway: &Caller, open: &str) -> Operator {
    let operator = Operator::of(gateway.address);
    let confirmed = json!({ "epoch": 1, "reason": REASON });
    let answer = operator.post("/books/epochs", &confirmed).await;
    assert_eq!(answer.json(), json!({ "epoch": 2, "parked": 1 }));
    bed.go_on().await;
    let parked = operator.in_state(open, "parked").await;
    assert_eq!(parked["reason_code"], "sent_to_other_books", "{parked}");
    assert!(operator.act(open, "release").await.status.is_success());
    // A command from before the restore may still run in Fineract until enough time has passed.
    bed.age().await;
    let end = operator.resolved(open, "failed").await;
    assert_eq!(end["state"], "failed", "{end}");
    operator
}

/// The LOS sends the missing operations again. They are accepted on hold, and the operator releases them.
async fn send_again(gateway: &Caller, operator: &Operator) {
    let mut sent = Vec::new();
    for (operation_type, data) in [
        ("CLIENT_CREATE", fixtures::client("C-L-A")),
        ("LOAN_CREATE", fixtures::loan("L-A", "C-L-A")),
        ("LOAN_APPROVE", fixtures::approve("L-A")),
        ("LOAN_DISBURSE", fixtures::disburse("L-A")),
        ("LOAN_REPAYMENT", repayment("UTR-1R")),
    ] {
        sent.push(gateway.send(operation_type, data).await);
    }
    assert_eq!(operator.release(json!({ "sent": false })).await, 5);
    for id in &sent {
        let end = gateway.end_of(id).await;
        assert_eq!(end["status"], "success", "{end}");
    }
    let ended = operator
        .post("/hold/end", &json!({ "reason": "done" }))
        .await;
    assert_eq!(ended.status, 200, "{}", ended.text);
}

async fn is_there_once(bed: &Bed) {
    let loan = bed
        .fineract
        .get("/loans/external-id/L-A?associations=transactions")
        .await;
    assert_eq!(loan["status"]["id"], 300, "{loan}");
    let transactions = loan["transactions"].as_array().unwrap();
    let of_type = |id: i64| {
        let of_type = |it: &&Value| it["type"]["id"] == id;
        transactions.iter().filter(of_type).count()
    };
    assert_eq!((of_type(1), of_type(2)), (1, 1), "{loan}");
}

/// Case 2: Fineract was restored.
#[sqlx::test]
async fn what_a_restored_fineract_lacks_is_done_once_more(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let (gateway, open) = restored(&bed).await;
    let operator = confirm(&bed, &gateway, &open).await;
    send_again(&gateway, &operator).await;
    is_there_once(&bed).await;
}

/// Case 3: both databases were restored, the gateway's to the later moment. The gateways are started on hold.
#[sqlx::test]
async fn where_both_were_restored_gateways_start_on_hold_and_blocked(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let (gateway, open) = restored(&bed).await;
    gateway.shut_down().await;
    let gateway = bed.gateway().await;
    bed.until_fineract_is(&gateway, "blocked", &json!("another_fineract"))
        .await;
    let operator = confirm(&bed, &gateway, &open).await;
    send_again(&gateway, &operator).await;
    is_there_once(&bed).await;
}
