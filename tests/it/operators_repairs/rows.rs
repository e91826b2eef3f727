//! Which rows a repair touches, and that it touches each once.

use fineract_gateway::{
    domain::OperationId,
    store::{ActionError, Operator, Unfit},
};
use serde_json::json;
use sqlx::PgPool;

use super::bed::{Bed, progress, retry_of_failed};
use crate::support::{
    fixtures::{client_create, client_update, done, loan_disburse, refused},
    operators::{audit, on_hold, park, uuid},
};

/// A gateway that dies after an action and before it writes the outcome of the row leaves the row as it was.
#[sqlx::test]
async fn a_row_is_done_once_also_if_the_gateway_died_after_it(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let parked = bed.gateway.accept(&client_create("C-1")).await;
    park(&pool, &parked).await;
    let body = json!({ "action": "retry", "filter": { "state": "parked" } });
    let id = bed.start(body, 1).await;
    bed.run(&id).await;
    // The operation is parked again, as it was seen when the repair was started.
    park(&pool, &parked).await;
    sqlx::query!("UPDATE repair_row SET outcome = NULL, done_at = NULL, seen = 'x'")
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query!("UPDATE repair SET done = 0, ended_at = NULL")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(progress(&bed.run(&id).await), json!(["done", 1, 0, 0, 0]));
    assert_eq!(bed.operator.inspect(&parked).await["state"], "parked");
    assert_eq!(audit(&pool, &parked).await.len(), 1);
}

#[sqlx::test]
async fn a_failure_that_a_later_operation_has_overtaken_is_left_out_unless_named(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let overtaken = bed.failed("C-1").await;
    bed.gateway.accept(&client_update("C-1")).await;
    bed.gateway.end_next(done()).await;
    let preview = bed.preview(retry_of_failed()).await;
    assert_eq!(preview["matches"], 0);
    assert_eq!(preview["left_out"][0]["code"], "superseded");
    assert_eq!(preview["left_out"][0]["sample"], json!([overtaken]));
    let mut named = retry_of_failed();
    named["named"] = json!([uuid(&overtaken)]);
    assert_eq!(bed.preview(named.clone()).await["matches"], 1);
    let id = bed.start(named, 1).await;
    assert_eq!(progress(&bed.run(&id).await), json!(["done", 1, 0, 0, 0]));
}

/// A caller that sends a payment again after its failure leaves two failed operations that are one payment.
#[sqlx::test]
async fn of_failed_payments_of_a_loan_only_the_last_is_run_again_unless_named(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let mut failed = Vec::new();
    for _ in 0..2 {
        let id = bed.gateway.accept(&loan_disburse("L-1")).await;
        bed.gateway.end_next(refused()).await;
        bed.operator.inspect(&id).await;
        failed.push(id);
    }
    let mut body =
        json!({ "action": "retry", "filter": { "state": "failed", "type": "LOAN_DISBURSE" } });
    let preview = bed.preview(body.clone()).await;
    assert_eq!(preview["matches"], 1);
    assert_eq!(preview["sample"][0]["tracking_id"], json!(failed[1]));
    assert_eq!(preview["left_out"][0]["code"], "possible_duplicate");
    assert_eq!(preview["left_out"][0]["sample"], json!([failed[0]]));
    body["named"] = json!([uuid(&failed[0])]);
    assert_eq!(bed.preview(body.clone()).await["matches"], 2);
    let id = bed.start(body, 2).await;
    assert_eq!(progress(&bed.run(&id).await), json!(["done", 2, 0, 0, 0]));
}

#[sqlx::test]
async fn a_repair_cancels_holds_and_releases(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(bed.gateway.accept(&client_update("C-1")).await);
    }
    let of = |action: &str| json!({ "action": action, "filter": { "lane": "client:c-1" } });
    for (action, state) in [
        ("hold", "on_hold"),
        ("release", "open"),
        ("cancel", "failed"),
    ] {
        let id = bed.start(of(action), 3).await;
        assert_eq!(
            progress(&bed.run(&id).await),
            json!(["done", 3, 0, 0, 0]),
            "{action}"
        );
        let found = bed
            .operator
            .get(&format!("/operations?state={state}"))
            .await
            .json();
        assert_eq!(
            found["operations"].as_array().expect("a list").len(),
            3,
            "{action}"
        );
    }
    assert_eq!(
        bed.preview(of("hold")).await["left_out"][0]["code"],
        "operation_ended"
    );
}

/// Two gateways may carry out a row at the same time, if one of them was slow. The database then refuses the second
/// action, and with it everything that the action has written.
#[sqlx::test]
async fn the_database_permits_one_action_of_a_repair_on_an_operation(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let id = bed.gateway.accept(&client_create("C-1")).await;
    let repair = json!({ "action": "hold", "filter": { "lane": "client:c-1" } });
    let repair = bed.start(repair, 1).await;
    let found = bed.gateway.store.find(OperationId(uuid(&id))).await;
    let found = found.unwrap().expect("it was accepted");
    let operator = Operator {
        name: "admin".to_owned(),
        repair: Some(repair.parse().expect("a UUID")),
        ..Operator::default()
    };
    let store = &bed.gateway.store;
    store.hold(&found, true, &operator).await.unwrap();
    let second = store.hold(&found, false, &operator).await;
    assert!(
        matches!(second, Err(ActionError::Unfit(Unfit::Changed))),
        "{second:?}"
    );
    sqlx::query!("UPDATE repair_row SET seen = replace(seen, 'hold=false', 'hold=true')")
        .execute(&pool)
        .await
        .unwrap();
    let second = store.hold(&found, false, &operator).await;
    assert!(matches!(second, Err(ActionError::Store(_))), "{second:?}");
    assert_eq!(on_hold(&pool, &id).await, (true, false));
}
