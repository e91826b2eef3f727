//! Single passes of the sequencer. No gateway runs, so the tests decide when a pass runs and what is open meanwhile.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::support::{database::is_true, eventually::eventually};

/// Adds operations to one lane, at these positions.
async fn add(pool: &PgPool, first: i64, last: i64) {
    sqlx::query!(
        "INSERT INTO operation (id, type, state, lane, position, blocked_by, due_at)
         SELECT gen_random_uuid(), 'CLIENT_UPDATE', 'ready', 'client:a', n, 0, now()
           FROM generate_series($1::bigint, $2::bigint) n",
        first,
        last
    )
    .execute(pool)
    .await
    .unwrap();
}

/// Ends the operation at this position.
async fn end_at(connection: &mut PgConnection, position: i64) {
    sqlx::query!(
        "UPDATE operation SET state = 'failed', due_at = NULL, ended_at = now() WHERE position = $1",
        position
    )
    .execute(connection)
    .await
    .unwrap();
}

/// Runs a pass that numbers at most this many events. Returns how many it numbered, with those of batches.
async fn pass(pool: &PgPool, most: i32) -> i32 {
    let numbered = sqlx::query_scalar!(r#"SELECT numbered AS "n!" FROM number_events($1)"#, most);
    numbered.fetch_one(pool).await.unwrap()
}

/// The open transaction has the greatest id of all when the first pass runs, and a smaller one than the pass itself.
#[sqlx::test]
async fn what_a_transaction_has_drawn_before_a_pass_is_numbered_after_it_ends(pool: PgPool) {
    add(&pool, 1, 3).await;
    end_at(&mut pool.acquire().await.unwrap(), 1).await;
    let mut open = pool.begin().await.unwrap();
    end_at(&mut open, 2).await;
    assert_eq!(pass(&pool, 100).await, 1);
    end_at(&mut pool.acquire().await.unwrap(), 3).await;
    assert_eq!(pass(&pool, 100).await, 1);
    open.commit().await.unwrap();
    assert_eq!(pass(&pool, 100).await, 1);
}

/// Four batches of 1,500 rows.
const BATCHES: &str = "
    INSERT INTO batch (id, client, reference_id, digest, total)
    SELECT gen_random_uuid(), 'lender', b, sha256(''), 1500 FROM generate_series(0, 3) b;
    INSERT INTO batch_row (batch_id, number, operation_id)
    SELECT b.id, (o.position + 3) / 4, o.id
      FROM operation o JOIN batch b ON b.reference_id = (o.position % 4)::text";

/// After an outage of the sequencer, all passes are full until it has caught up.
#[sqlx::test]
async fn a_backlog_is_numbered_in_full_passes(pool: PgPool) {
    add(&pool, 1, 6_000).await;
    sqlx::raw_sql(BATCHES).execute(&pool).await.unwrap();
    sqlx::raw_sql("UPDATE operation SET state = 'succeeded', due_at = NULL, ended_at = now()")
        .execute(&pool)
        .await
        .unwrap();
    // Other tests have open transactions, too.
    let moves_on = "SELECT cleared > 0 FROM event_sequence";
    eventually(
        "the search begins after what full passes have numbered",
        async || {
            assert_eq!(pass(&pool, 1).await, 1);
            is_true(&pool, moves_on).await
        },
    )
    .await;
    while pass(&pool, 500).await >= 500 {}
    assert_eq!(pass(&pool, 500).await, 0);
    let all = "SELECT count(DISTINCT operation_id) = 6000 AND count(*) = 6004
                      AND count(*) FILTER (WHERE type = 'batch.completed') = 4
                 FROM event";
    assert!(is_true(&pool, all).await);
    let after_their_rows = "
        SELECT bool_and(e.number < b.number)
          FROM event e JOIN event b ON b.batch_id = e.batch_id AND b.operation_id IS NULL
         WHERE e.operation_id IS NOT NULL";
    assert!(is_true(&pool, after_their_rows).await);
    let mut next = 6_000;
    eventually("everything is cleared", async || {
        next += 1;
        add(&pool, next, next).await;
        end_at(&mut pool.acquire().await.unwrap(), next).await;
        pass(&pool, 500).await;
        is_true(&pool, "SELECT cleared >= 6000 FROM event_sequence").await
    })
    .await;
}

/// The functions that park or resume many operations at once switch hash joins off.
#[sqlx::test]
async fn a_statement_that_parks_and_one_that_resumes_20_000_take_seconds(pool: PgPool) {
    add(&pool, 1, 20_000).await;
    sqlx::raw_sql(
        "BEGIN;
         SET LOCAL enable_hashjoin = off;
         SET LOCAL enable_mergejoin = off;
         SET LOCAL statement_timeout = '10s';
         UPDATE operation SET state = 'parked', due_at = NULL, reason_code = 'x', reason_since = now();
         UPDATE operation SET state = 'ready', due_at = now();
         COMMIT",
    )
    .execute(&pool)
    .await
    .unwrap();
    let written = "SELECT count(*) FILTER (WHERE type = 'operation.parked') = 20000
                          AND count(*) FILTER (WHERE type = 'operation.resumed') = 20000
                     FROM new_event";
    assert!(is_true(&pool, written).await);
}

/// Adds an operation that has failed and runs `retry_of` again. Returns its id.
async fn add_failed(pool: &PgPool, position: i64, retry_of: Option<Uuid>) -> Uuid {
    add(pool, position, position).await;
    let id = sqlx::query_scalar!(
        "UPDATE operation SET retry_of = $2 WHERE position = $1 RETURNING id",
        position,
        retry_of
    )
    .fetch_one(pool)
    .await
    .unwrap();
    end_at(&mut pool.acquire().await.unwrap(), position).await;
    id
}

/// The row refers to the second retry when the end of the first operation is numbered.
#[sqlx::test]
async fn what_was_retried_twice_belongs_to_its_batch(pool: PgPool) {
    sqlx::raw_sql("DROP TRIGGER write_events ON operation")
        .execute(&pool)
        .await
        .unwrap();
    let first = add_failed(&pool, 1, None).await;
    let second = add_failed(&pool, 2, Some(first)).await;
    let third = add_failed(&pool, 3, Some(second)).await;
    sqlx::query!(
        "WITH b AS (
             INSERT INTO batch (id, client, reference_id, digest, total)
             VALUES (gen_random_uuid(), 'lender', 'r', sha256(''), 1)
             RETURNING id
         ), r AS (
             INSERT INTO batch_row (batch_id, number, operation_id) SELECT id, 1, $1::uuid FROM b
         )
         INSERT INTO new_event (type, operation_id) SELECT 'operation.failed', unnest($2::uuid[])",
        third,
        &[first, second, third][..]
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(pass(&pool, 100).await, 4);
    let owned =
        "SELECT bool_and(owner = 'bulk:lender' AND batch_id = (SELECT id FROM batch)) FROM event";
    assert!(is_true(&pool, owned).await);
}
