//! What stays in the hot tables although it ended long ago, and when nothing is archived at all.

use fineract_gateway::store::{Pool, Retention, RetentionRun};
use sqlx::{AssertSqlSafe, PgPool};

use super::{ARCHIVES, age, retain};
use crate::support::{
    TestGateway,
    database::{eventually_true, is_true},
    fixtures::{client_update, refused},
    system::System,
};

/// What keeps the only operation in the hot tables, and how it is undone.
const REASONS: [(&str, &str, &str); 8] = [
    (
        "an attempt without an answer",
        "INSERT INTO attempt (operation_id, number, key_number, method, path) SELECT id, 1, 1, 'PUT', 'clients/7' FROM operation",
        "DELETE FROM attempt",
    ),
    (
        "an attempt whose answer timed out",
        "INSERT INTO attempt (operation_id, number, key_number, method, path, answered_at, error)
         SELECT id, 1, 1, 'PUT', 'clients/7', now(), 'timed_out' FROM operation",
        "DELETE FROM attempt",
    ),
    (
        "a second key, which worker/late may ask for",
        "UPDATE operation SET key_number = 2",
        "UPDATE operation SET key_number = 1",
    ),
    (
        "an event without a number",
        "INSERT INTO new_event (type, operation_id) SELECT 'operation.failed', id FROM operation",
        "DELETE FROM new_event",
    ),
    (
        "a lane that depends on the failure",
        "UPDATE lane SET failing_dependents = true, failed_by = (SELECT id FROM operation), failed_at = now()",
        "UPDATE lane SET failing_dependents = false",
    ),
    (
        "dependents that still have to fail",
        "INSERT INTO lane_failure (lane, position, below, failed_by) SELECT lane, position, position + 1, id FROM operation",
        "DELETE FROM lane_failure",
    ),
    (
        "an open repair",
        "INSERT INTO repair (id, action, filter, options, reason, operator, request_id, total)
         VALUES (gen_random_uuid(), 'retry', '{}', '{}', 'test', 'admin', '', 1);
         INSERT INTO repair_row (repair_id, number, operation_id, seen) SELECT r.id, 1, o.id, '' FROM repair r, operation o",
        "UPDATE repair SET ended_at = now()",
    ),
    (
        "an end not long ago",
        "UPDATE operation SET ended_at = ended_at + interval '71 days'",
        "UPDATE operation SET ended_at = ended_at - interval '71 days'",
    ),
];

/// Changes the database, past its triggers.
async fn change(pool: &PgPool, statements: &str) {
    let statements =
        format!("BEGIN; SET LOCAL session_replication_role = replica; {statements}; COMMIT");
    let changed = sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await;
    changed.expect("the database is there");
}

#[sqlx::test]
async fn nothing_is_archived_on_which_something_depends(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_update("C")).await;
    gateway.end_next(refused()).await;
    age(&pool).await;
    // Events stay without numbers.
    let mut sequencer = pool.acquire().await.expect("the database is there");
    sqlx::raw_sql("SELECT pg_advisory_lock(x'6576656e7473'::bigint)")
        .execute(&mut *sequencer)
        .await
        .expect("the database is there");
    for (what, keep, undo) in REASONS {
        change(&pool, keep).await;
        assert_eq!(retain(&pool, ARCHIVES).await.archived, 0, "{what}");
        assert!(
            is_true(&pool, "SELECT count(*) = 1 FROM payload").await,
            "{what}"
        );
        change(&pool, undo).await;
    }
    assert_eq!(retain(&pool, ARCHIVES).await.archived, 1);
}

#[sqlx::test]
async fn nothing_is_archived_while_a_gateway_does_not_know_the_archive(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_update("C")).await;
    gateway.end_next(refused()).await;
    age(&pool).await;
    let older = "INSERT INTO gateway_process (id, version, role, settings) VALUES (gen_random_uuid(), '0.1', 'all', '{}')";
    change(&pool, older).await;
    let retention = Retention::new(Pool::from(pool.clone()));
    let run = async || {
        retention
            .run(ARCHIVES)
            .await
            .expect("the database is there")
    };
    assert_eq!(run().await, RetentionRun::OlderGateway);
    assert!(is_true(&pool, "SELECT count(*) = 1 FROM operation").await);
    assert_eq!(
        retention.status().await.expect("a status").older_gateways,
        1
    );

    change(&pool, "DELETE FROM gateway_process").await;
    // It may be shutting down, without a heartbeat.
    change(
        &pool,
        "UPDATE _sqlx_migrations SET installed_on = now() - interval '59 min'",
    )
    .await;
    assert_eq!(run().await, RetentionRun::OlderGateway);
    change(
        &pool,
        "UPDATE _sqlx_migrations SET installed_on = now() - interval '61 min'",
    )
    .await;
    change(
        &pool,
        "UPDATE retention SET run_by = gen_random_uuid(), run_until = now() + interval '1 min'",
    )
    .await;
    assert_eq!(run().await, RetentionRun::Elsewhere);
    change(
        &pool,
        "UPDATE retention SET run_until = now() - interval '1 s'",
    )
    .await;
    assert!(matches!(run().await, RetentionRun::Done(report) if report.archived == 1));
}

#[sqlx::test]
async fn a_gateway_archives_by_itself(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_update("C")).await;
    gateway.end_next(refused()).await;
    age(&pool).await;
    drop(gateway);
    let system = System::start(&pool).await;
    let running = system.gateway().await;
    eventually_true(&pool, "SELECT count(*) = 1 FROM archived_operation").await;
    eventually_true(
        &pool,
        "SELECT count(*) = 1 FROM retention WHERE ended_at IS NOT NULL AND problem IS NULL",
    )
    .await;
    drop(running);
}
