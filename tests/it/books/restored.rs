//! Fineract was restored from an older backup. Numbers that the gateway knows now belong to other objects, or to none.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::bed::Bed;
use crate::support::{
    database::stop_retries,
    fixtures::{self, of_loan},
    operators::Operator,
};

/// The path of loan A's disbursement contains number 1. After the restore, loan B has number 1.
#[sqlx::test]
async fn a_payout_is_not_made_to_who_has_its_number_now(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    gateway.file("L-A").await;
    gateway
        .succeeds("LOAN_APPROVE", fixtures::approve("L-A"))
        .await;
    let id = bed
        .lose_answer(&gateway, "LOAN_DISBURSE", fixtures::disburse("L-A"))
        .await;

    // The client was in the backup, the loan was not.
    bed.restore_to_nothing().await;
    bed.create_client_for_others("C-L-A").await;
    bed.file_for_others("L-B").await;
    bed.approve_for_others(1).await;
    bed.go_on().await;
    let operation = Operator::of(gateway.address).in_state(&id, "parked").await;
    assert_eq!(
        operation["reason_code"], "number_means_another",
        "{operation}"
    );
    let loan = bed.fineract.get("/loans/1").await;
    assert_eq!(
        loan["status"]["id"], 200,
        "B's loan is approved, and not paid out"
    );
}

#[sqlx::test]
async fn an_application_is_not_filed_for_who_has_the_clients_number_now(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    for external_id in ["C-0", "C-A"] {
        let client = fixtures::client(external_id);
        gateway.succeeds("CLIENT_CREATE", client).await;
    }
    let id = bed
        .lose_answer(&gateway, "LOAN_CREATE", fixtures::loan("L-A", "C-A"))
        .await;

    bed.restore_to_nothing().await;
    bed.create_client_for_others("C-0").await;
    bed.create_client_for_others("C-B").await;
    bed.go_on().await;
    let operation = Operator::of(gateway.address).in_state(&id, "parked").await;
    assert_eq!(
        operation["reason_code"], "number_means_another",
        "{operation}"
    );
    let accounts = bed.fineract.get("/clients/2/accounts").await;
    assert_eq!(accounts.get("loanAccounts"), None, "{accounts}");
}

#[sqlx::test]
async fn an_undo_does_not_take_back_anothers_payout(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    gateway.pay_out("L-A").await;
    let undo = of_loan("L-A");
    let id = bed.lose_answer(&gateway, "LOAN_UNDO_DISBURSAL", undo).await;

    bed.restore_to_nothing().await;
    bed.create_client_for_others("C-L-A").await;
    bed.file_for_others("L-B").await;
    bed.approve_for_others(1).await;
    bed.pay_out_for_others(1).await;
    bed.go_on().await;
    let operation = Operator::of(gateway.address).in_state(&id, "parked").await;
    assert_eq!(
        operation["reason_code"], "number_means_another",
        "{operation}"
    );
    let loan = bed.fineract.get("/loans/1").await;
    assert_eq!(loan["status"]["id"], 300, "B's loan is still paid out");
}

/// If a loan is missing, its delete counts as successful only if Fineract has not been restarted since the delete.
#[sqlx::test]
async fn what_is_gone_after_a_restart_is_not_known_to_be_deleted(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    gateway.file("L-1").await;
    let delete = of_loan("L-1");
    let id = bed
        .lose_answer(&gateway, "LOAN_DELETE", delete.clone())
        .await;
    bed.go_on().await;
    let end = gateway.end_of(&id).await;
    assert_eq!(
        end["status"], "success",
        "Fineract has not been restarted: {end}"
    );

    stop_retries(&bed.pool).await;
    gateway.file("L-2").await;
    let id = bed
        .lose_answer(&gateway, "LOAN_DELETE", of_loan("L-2"))
        .await;
    bed.restart().await;
    bed.go_on().await;
    let operation = Operator::of(gateway.address).in_state(&id, "parked").await;
    assert_eq!(operation["reason_code"], "subject_is_gone", "{operation}");
    assert_eq!(bed.deletions().await, 2, "the delete was not sent again");
}

/// If the loan does not exist any more, the command is not sent again.
#[sqlx::test]
async fn what_is_not_there_is_not_sent_to_again(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    gateway.file("L-1").await;
    let id = bed
        .lose_answer(&gateway, "LOAN_APPROVE", fixtures::approve("L-1"))
        .await;
    bed.fineract
        .request(
            Method::POST,
            "/loans/external-id/L-1?command=undoapproval",
            &json!({}),
        )
        .await;
    bed.fineract
        .request(Method::DELETE, "/loans/external-id/L-1", &Value::Null)
        .await;
    bed.go_on().await;
    let operation = Operator::of(gateway.address).in_state(&id, "parked").await;
    assert_eq!(operation["reason_code"], "subject_is_gone", "{operation}");
    assert_eq!(operation["attempts"].as_array().unwrap().len(), 1);
}
