//! What the gateway counts for charts.

use fineract_gateway::store::Minute;
use sqlx::PgPool;

use crate::support::{TestGateway, eventually::eventually_ok};

/// 100 operations were accepted three minutes ago and ended up to 100 seconds later, and others before and after.
const PAST: &str = "
    CREATE TEMP TABLE past AS
    SELECT n, gen_random_uuid() AS id, date_trunc('minute', now()) - interval '3 minutes' AS at
      FROM generate_series(1, 100) n;
    UPDATE past SET id = rpad(lpad(to_hex((EXTRACT(EPOCH FROM at) * 1000)::bigint + n), 12, '0') || lpad(to_hex(n), 4, '0'), 32, '0')::uuid;
    INSERT INTO operation (id, type, state, lane, position, blocked_by, accepted_at, ended_at)
    SELECT id, 'CLIENT_UPDATE', CASE WHEN n > 90 THEN 'failed' ELSE 'succeeded' END, 'client:c', n, 0, at,
           at + make_interval(secs => n)
      FROM past;
    INSERT INTO event (number, type, owner, operation_id, at)
    SELECT (EXTRACT(EPOCH FROM at) * 1000000)::bigint + n, 'operation.' || state, 'token:los', id, at
      FROM past JOIN operation USING (id);
    INSERT INTO event (number, type, owner, operation_id, at)
    SELECT (EXTRACT(EPOCH FROM at) * 1000000)::bigint + 1000, 'operation.parked', 'token:los', id, at
      FROM past WHERE n = 1;
    INSERT INTO event (number, type, owner, operation_id, at)
    SELECT (EXTRACT(EPOCH FROM at) * 1000000)::bigint + 60000000, 'operation.parked', 'token:los', id, at
      FROM past WHERE n = 1";

#[sqlx::test]
async fn each_minute_is_counted_once_it_is_over(pool: PgPool) {
    sqlx::raw_sql(PAST).execute(&pool).await.unwrap();
    let began = sqlx::query_scalar!("SELECT min(accepted_at) AS \"at!\" FROM operation");
    let began = began.fetch_one(&pool).await.unwrap();
    let gateways = [
        TestGateway::start(pool.clone()).await,
        TestGateway::start(pool.clone()).await,
    ];
    let minutes = eventually_ok("the minutes are counted", async || {
        let minutes = gateways[1].store.minutes(began).await.unwrap();
        if minutes.len() < 2 {
            Err(minutes)
        } else {
            Ok(minutes)
        }
    })
    .await;
    let first = Minute {
        at: began,
        accepted: 100,
        succeeded: 90,
        failed: 10,
        parked: 1,
        p50_ms: Some(50_000),
        p99_ms: Some(99_000),
    };
    let second = minutes[1];
    assert_eq!(minutes[0], first);
    assert_eq!(
        (second.accepted, second.parked, second.p50_ms),
        (0, 1, None)
    );
}
