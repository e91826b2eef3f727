//! Fineract answers while a row that must be written for the answer is locked.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::timeout;

use super::{SOON, connection, lock, one};
use crate::support::{caller::Caller, eventually::eventually, fixtures::client, system::System};

/// A gateway that has sent the create of the client `LOCKED`. Fineract answers after a second and a half.
async fn sent(pool: &PgPool) -> (System, Caller, String) {
    let system = System::start(pool).await;
    let matching = json!({"method": "POST", "path": "/clients"});
    let slow = json!({"match": matching, "fault": "slow", "delay_ms": 1500, "times": 1});
    system.fault(slow).await;
    let gateway = system.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("LOCKED")).await;
    let mut looking = connection(pool).await;
    eventually("sent", async || {
        one::<i64>(&mut looking, "SELECT count(*) FROM attempt").await == 1
    })
    .await;
    (system, gateway, id)
}

async fn others_go_on(gateway: &Caller, name: &str) {
    let ids = (0..20).map(|number| format!("{name}-{number}"));
    let running = ids.map(async |id| gateway.run("CLIENT_CREATE", client(&id)).await);
    let ends = timeout(SOON, futures_util::future::join_all(running)).await;
    let ends = ends.expect("the other operations are not delayed");
    assert!(
        ends.iter().all(|end| end["status"] == "success"),
        "{ends:?}"
    );
}

async fn age(gateway: &Caller) -> u64 {
    let ready = gateway.get("/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    let age = &ready.json()["oldest_unwritten_answer_seconds"];
    age.as_u64().expect("whole seconds")
}

async fn ends_once(system: &System, gateway: &Caller, id: &str) {
    let end = timeout(SOON, gateway.end_of(id)).await;
    let end = end.expect("the operation continues by itself");
    assert_eq!(end["status"], "success", "{end}");
    let ledger = system.ledger().await;
    let effects = ledger
        .iter()
        .filter(|effect| effect.to_string().contains("\"LOCKED\""));
    assert_eq!(effects.count(), 1, "{ledger:?}");
    eventually("all is written", async || age(gateway).await == 0).await;
}

/// The answer waits for its row. Nothing else waits.
async fn an_answer_waits(pool: PgPool, select: &str) {
    let (system, gateway, id) = sent(&pool).await;
    let locked = lock(&pool, select).await;
    eventually("the answer has waited for some seconds", async || {
        age(&gateway).await >= 3
    })
    .await;
    others_go_on(&gateway, "OTHER").await;
    let metrics = gateway.get("/metrics").await.text;
    assert!(
        metrics.contains("gateway_oldest_unwritten_answer_seconds"),
        "{metrics}"
    );
    locked.rollback().await.expect("it is free");
    ends_once(&system, &gateway, &id).await;
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn of_a_lane_hold_up_only_what_needs_it(pool: PgPool) {
    an_answer_waits(pool, "SELECT key FROM lane WHERE key = 'client:locked'").await;
}

#[sqlx::test]
async fn of_an_operation_hold_up_only_it(pool: PgPool) {
    an_answer_waits(pool, "SELECT id FROM operation").await;
}

#[sqlx::test]
async fn of_an_attempt_hold_up_only_its_operation(pool: PgPool) {
    an_answer_waits(pool, "SELECT operation_id FROM attempt").await;
}

#[sqlx::test]
async fn of_a_place_hold_up_only_its_operation(pool: PgPool) {
    an_answer_waits(pool, "SELECT operation_id FROM lane_entry").await;
}

#[sqlx::test]
async fn an_answer_that_the_database_refuses_is_kept_and_written_once_it_may_be(pool: PgPool) {
    let (system, gateway, id) = sent(&pool).await;
    let (_, uuid) = id.split_once('|').expect("a tracking id");
    let mut admin = connection(&pool).await;
    let refuse =
        format!("ALTER TABLE result ADD CONSTRAINT refused CHECK (operation_id <> '{uuid}')");
    sqlx::raw_sql(AssertSqlSafe(refuse))
        .execute(&mut *admin)
        .await
        .expect("the constraint is added");
    eventually("the answer has waited for some seconds", async || {
        age(&gateway).await >= 3
    })
    .await;
    others_go_on(&gateway, "OTHER").await;
    // The answer is stored with its attempt. If this process ended, another one would find the answer there.
    let kept = "SELECT status = 200 FROM attempt ORDER BY sent_at LIMIT 1";
    assert!(one::<bool>(&mut admin, kept).await);
    let allow = "ALTER TABLE result DROP CONSTRAINT refused";
    sqlx::raw_sql(allow)
        .execute(&mut *admin)
        .await
        .expect("the constraint is dropped");
    ends_once(&system, &gateway, &id).await;
    let attempts = "SELECT count(*) FROM attempt JOIN operation ON id = operation_id WHERE lane = 'client:locked'";
    assert_eq!(one::<i64>(&mut admin, attempts).await, 1);
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn however_many_answers_wait_others_run(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("ROLE", "api");
    let door = system.gateway().await;
    let mut ids = Vec::new();
    // More operations than a gateway runs at the same time after its start.
    for number in 0..30 {
        ids.push(
            door.send("CLIENT_CREATE", client(&format!("C-{number}")))
                .await,
        );
    }
    let locked = lock(&pool, "SELECT key FROM lane").await;
    system.set("ROLE", "worker");
    let worker = system.gateway().await;
    others_go_on(&door, "OTHER").await;
    eventually("answers wait for a second", async || age(&worker).await > 0).await;
    locked.rollback().await.expect("they are free");
    for id in ids {
        let end = timeout(SOON, door.end_of(&id))
            .await
            .expect("the operation continues");
        assert_eq!(end["status"], "success", "{end}");
    }
    assert_eq!(system.ledger().await.len(), 50);
    assert!(worker.shut_down().await);
    assert!(door.shut_down().await);
}
