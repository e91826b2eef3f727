//! The back office gave a client another external id. No operation is refused because of this. The gateway sends
//! nothing to this client until an operator has confirmed that it is the same client.

use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use super::bed::Bed;
use crate::support::{fixtures, operators::Operator};

#[sqlx::test]
async fn what_was_renamed_is_not_missing(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    for external_id in ["C-1", "C-2"] {
        let client = fixtures::client(external_id);
        gateway.succeeds("CLIENT_CREATE", client).await;
    }
    let renamed = json!({ "externalId": "BRANCH-1" });
    bed.fineract
        .request(Method::PUT, "/clients/1", &renamed)
        .await;
    let update = gateway.send("CLIENT_UPDATE", fixtures::rename("C-1")).await;
    let loan = gateway
        .send("LOAN_CREATE", fixtures::loan("L-1", "C-1"))
        .await;
    let operator = Operator::of(gateway.address);
    let operation = operator.in_state(&update, "parked").await;
    assert_eq!(
        operation["reason_code"], "number_means_another",
        "{operation}"
    );

    let meant =
        json!({ "number": 1, "external_id": "BRANCH-1", "reason": "Renamed by the branch" });
    let answer = operator.post("/lanes/client%3Ac-1/number", &meant).await;
    assert_eq!(answer.json()["released"], 1, "{}", answer.text);
    for id in [&update, &loan] {
        let end = gateway.end_of(id).await;
        assert_eq!(end["status"], "success", "{end}");
    }
    let read = bed.fineract.get("/loans/1").await;
    assert_eq!(read["clientId"], 1);
}

/// A deleted loan is not found under another external id either. The operation ends with Fineract's own refusal.
#[sqlx::test]
async fn what_was_deleted_is_missing(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    gateway.file("L-1").await;
    bed.fineract
        .request(Method::DELETE, "/loans/1", &json!(null))
        .await;
    let approval = gateway.send("LOAN_APPROVE", fixtures::approve("L-1")).await;
    assert_eq!(gateway.end_of(&approval).await["status"], "failed");
}
