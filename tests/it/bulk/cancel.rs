//! `POST /bulk/cancel`.

use fineract_gateway::{
    domain::{End, ResourceId},
    store::{self, Pool},
};
use serde_json::json;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::Bulk;
use crate::support::{
    TestGateway,
    fixtures::{client_create, loan_approve, loan_create, loan_disburse},
    operators::Operator,
    system::System,
};

#[sqlx::test]
async fn what_was_not_sent_ends_and_the_rest_goes_on(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule(
        "r",
        vec![
            client_create("A"),
            client_create("B"),
            client_create("C"),
            loan_create("L", "C"),
            loan_approve("L"),
        ],
    )
    .await;
    bulk.schedule("later", vec![loan_disburse("L"), client_create("A")])
        .await;
    gateway
        .end_next(End::Succeeded {
            body: "{}".to_owned(),
            resource_id: ResourceId::Unchanged,
        })
        .await;
    // B's command was sent. C is claimed, but has no attempt yet.
    sqlx::query!(
        "UPDATE operation SET state = 'running', attempt = 1 WHERE lane IN ('client:b', 'client:c')"
    )
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO attempt (operation_id, number, key_number, method, path)
         SELECT id, 1, 1, 'POST', '/clients' FROM operation WHERE lane = 'client:b'"
    )
    .execute(&pool)
    .await
    .unwrap();

    let answer = bulk.send("cancel", &json!({ "reference_id": "r" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["cancelled"], 3);
    assert_eq!(
        answer.json()["summary"],
        json!({"total": 5, "ready": 0, "in_progress": 1, "completed": 1, "failed": 3})
    );
    let status = bulk
        .status(&json!({ "reference_id": "r", "filters": {"status": ["FAILED"]} }))
        .await;
    for record in status["records"].as_array().unwrap() {
        let error = json!({"code": "cancelled", "message": "Cancelled before it was sent"});
        assert_eq!(record["error"], error);
        assert_eq!(record["retry_eligible"], "Yes");
    }
    let again = bulk.send("cancel", &json!({ "reference_id": "r" })).await;
    assert_eq!(again.json()["cancelled"], 0);
    // Only operations of other batches are left in the lane. A new operation does not fail because of the cancel,
    // because the client that cancelled knows about it.
    bulk.schedule("next", vec![loan_approve("L")]).await;
    let lane = sqlx::query!("SELECT members, writers, failure_read FROM lane WHERE key = 'loan:l'")
        .fetch_one(&pool);
    let lane = lane.await.unwrap();
    assert_eq!(
        (lane.members, lane.writers, lane.failure_read),
        (2, 2, true)
    );
}

/// An operation that existed when everything was put on hold may have been sent, even if a restored database has
/// forgotten this. So a bulk client cannot cancel it; an operator can.
#[sqlx::test]
async fn what_a_restored_database_may_have_sent_is_left_to_operators(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("before", vec![client_create("A"), client_create("B")])
        .await;
    store::hold_all(&Pool::from(pool.clone()), "restored", "admin")
        .await
        .unwrap();
    bulk.schedule("under the hold", vec![client_create("C")])
        .await;
    for (reference, cancelled) in [("before", 0), ("under the hold", 1)] {
        let answer = bulk
            .send("cancel", &json!({ "reference_id": reference }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["cancelled"], cancelled, "{reference}");
    }

    let id = sqlx::query_scalar!("SELECT id FROM operation WHERE lane = 'client:a'")
        .fetch_one(&pool)
        .await
        .unwrap();
    let answer = Operator::of(gateway.address)
        .act(&format!("CLIENT_CREATE|{id}"), "cancel")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[sqlx::test]
async fn a_cancelled_batch_can_be_sent_again(pool: PgPool) {
    let mut system = System::start(&pool).await;
    // No worker runs until the batch is cancelled.
    system.set("ROLE", "api");
    let door = system.gateway().await;
    let bulk = Bulk::new(door.address);
    // More operations than the gateway ends in one transaction. Some loans are in another transaction than their
    // client.
    let clients = (0..520).map(|n| client_create(&format!("C-{n}")));
    let loans = (0..20).map(|n| loan_create(&format!("L-{n}"), &format!("C-{}", 26 * n)));
    let rows: Vec<_> = clients.chain(loans).collect();
    let total = rows.len();
    bulk.schedule("r", rows).await;
    let cancelled = bulk
        .send("cancel", &json!({ "reference_id": "r" }))
        .await
        .json();
    assert_eq!(cancelled["cancelled"], total);
    assert_eq!(cancelled["batch_status"], "FAILED");
    let left = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM lane_entry) AS "lane_entries!", sum(members) AS "members!" FROM lane"#
    );
    let left = left.fetch_one(&pool).await.unwrap();
    assert_eq!((left.lane_entries, left.members), (0, 0));

    system.set("ROLE", "all");
    let gateway = system.gateway().await;
    // A retry of all failed rows does not include cancelled rows.
    let unnamed = bulk
        .send("retry", &json!({ "reference_id": "r" }))
        .await
        .json();
    assert_eq!(unnamed["taken"], json!([]));
    let not_taken = unnamed["not_taken"].as_array().unwrap();
    assert_eq!(not_taken.len(), total);
    assert!(not_taken.iter().all(|row| row["code"] == "needs_naming"));
    let records: Vec<usize> = (1..=total).collect();
    let retried = bulk
        .send("retry", &json!({ "reference_id": "r", "records": records }))
        .await
        .json();
    assert_eq!(retried["taken"].as_array().unwrap().len(), total);
    let ended = bulk.end_of("r").await;
    assert_eq!(ended["batch_status"], "COMPLETED", "{}", ended["summary"]);
    assert_eq!(system.ledger().await.len(), total);
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn beside_a_locked_row_the_others_end_and_whoever_asked_is_told(pool: PgPool) {
    let options = PgConnectOptions::clone(&pool.connect_options());
    let options = options.options([("lock_timeout", "500ms")]);
    let gateway = TestGateway::start(PgPoolOptions::new().connect_lazy_with(options)).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule(
        "r",
        vec![client_create("A"), client_create("B"), client_create("C")],
    )
    .await;
    // An operation of an unknown type (from a newer gateway) is cancelled like any other.
    sqlx::query!("UPDATE operation SET type = 'CLIENT_MERGE' WHERE lane = 'client:c'")
        .execute(&pool)
        .await
        .unwrap();
    let mut locking = pool.begin().await.unwrap();
    sqlx::query_scalar!("SELECT key FROM lane WHERE key = 'client:b' FOR UPDATE")
        .fetch_one(&mut *locking)
        .await
        .unwrap();
    let cancel = json!({ "reference_id": "r" });
    let answer = bulk.send("cancel", &cancel).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    let left = "SELECT string_agg(lane, ',') FROM operation WHERE ended_at IS NULL";
    let left: String = sqlx::query_scalar(left).fetch_one(&pool).await.unwrap();
    assert_eq!(left, "client:b");
    locking.rollback().await.unwrap();
    let answer = bulk.send("cancel", &cancel).await;
    assert_eq!(answer.json()["cancelled"], 1, "{}", answer.text);
    let failed = &answer.json()["summary"]["failed"];
    assert_eq!(*failed, 3);
}
