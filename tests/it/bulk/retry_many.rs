//! A retry of a batch with many failed rows.

use serde_json::json;
use sqlx::PgPool;

use super::Bulk;
use crate::support::TestGateway;

/// A batch of 10,000 rows, all of which were cancelled.
const BATCH: &str = "
    BEGIN;
    SET LOCAL session_replication_role = replica;
    CREATE TEMP TABLE new ON COMMIT DROP AS
        SELECT n::int AS number, gen_random_uuid() AS id, 'client:c-' || n AS lane FROM generate_series(1, 10000) n;
    INSERT INTO batch (id, client, reference_id, digest, total) VALUES (gen_random_uuid(), 'lender', 'b-1', sha256(''), 10000);
    INSERT INTO batch_row (batch_id, number, operation_id) SELECT b.id, n.number, n.id FROM batch b, new n;
    INSERT INTO operation (id, type, state, lane, position, blocked_by, ended_at)
    SELECT id, 'CLIENT_UPDATE', 'failed', lane, 1, 0, now() FROM new;
    INSERT INTO payload (operation_id, caller, lane, data) SELECT id, 'bulk:lender', lane, '{}' FROM new;
    INSERT INTO result (operation_id, code, message) SELECT id, 'cancelled', 'Not sent' FROM new;
    COMMIT;
    ANALYZE";

/// Reading 10,000 rows must take no more than some hundred times as long as reading 100.
#[sqlx::test]
async fn all_failed_rows_of_a_large_batch_are_looked_at_in_time(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let made = sqlx::raw_sql(BATCH).execute(&pool).await;
    made.expect("the database is there");
    let answer = bulk.send("retry", &json!({ "reference_id": "b-1" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let not_taken = answer.json()["not_taken"].take();
    let not_taken = not_taken.as_array().expect("rows");
    assert_eq!(not_taken.len(), 10_000);
    assert!(not_taken.iter().all(|row| row["code"] == "needs_naming"));
}
