//! Retention: ended operations move to an archive that all reads know, old months are dropped, and what must be unique stays
//! unique for ever.

mod command;
mod dropped;
mod export;
mod guards;
mod kept;
mod later;
mod reads;
mod schema;
mod waits;

use std::time::Duration;

use fineract_gateway::domain::TrackingId;
use fineract_gateway::store::{Pool, Retention, RetentionReport, RetentionRun, RetentionSettings};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{
    TestGateway,
    database::eventually_true,
    fixtures::{client_update, done},
};

/// Operations are archived after 30 days.
const ARCHIVES: RetentionSettings = RetentionSettings {
    hot_for: Duration::from_hours(30 * 24),
    kept_for: None,
};

/// As [`ARCHIVES`], and months are dropped after 60 days.
const DROPS: RetentionSettings = RetentionSettings {
    kept_for: Some(Duration::from_hours(60 * 24)),
    ..ARCHIVES
};

/// By how much [`age`] makes operations older, in milliseconds: 100 days.
const AGE_MILLIS: u128 = 8_640_000_000;

/// Makes the migrations and each operation that has ended, and everything about it, 100 days older, as if the clock had been
/// wrong. An id has a time, so each operation gets another id.
const AGE: &str = "
    BEGIN;
    SET LOCAL session_replication_role = replica;
    ALTER TABLE audit DISABLE TRIGGER audit_is_final;
    CREATE OR REPLACE FUNCTION older(id uuid) RETURNS uuid LANGUAGE sql AS $$
        SELECT (left(millis, 8) || '-' || substr(millis, 9, 4) || substr(id::text, 14))::uuid
          FROM (SELECT lpad(to_hex(('x' || lpad(replace(left(id::text, 13), '-', ''), 16, '0'))::bit(64)::bigint
                                   - 8640000000), 12, '0') AS millis) m
    $$;
    UPDATE _sqlx_migrations SET installed_on = installed_on - interval '100 days';
    CREATE TEMP TABLE aged ON COMMIT DROP AS SELECT id, older(id) AS older FROM operation WHERE ended_at IS NOT NULL;
    UPDATE payload t SET operation_id = older FROM aged a WHERE t.operation_id = a.id;
    UPDATE attempt t SET operation_id = older, sent_at = sent_at - interval '100 days',
                         answered_at = answered_at - interval '100 days'
      FROM aged a WHERE t.operation_id = a.id;
    UPDATE result t SET operation_id = older FROM aged a WHERE t.operation_id = a.id;
    UPDATE result SET failed_with = older(failed_with) WHERE failed_with IS NOT NULL;
    UPDATE batch_row t SET operation_id = older FROM aged a WHERE t.operation_id = a.id;
    UPDATE idempotency t SET operation_id = older FROM aged a WHERE t.operation_id = a.id;
    UPDATE event t SET operation_id = older FROM aged a WHERE t.operation_id = a.id;
    UPDATE audit t SET operation_id = older FROM aged a WHERE t.operation_id = a.id;
    UPDATE lane t SET failed_by = older, failed_at = failed_at - interval '100 days' FROM aged a WHERE t.failed_by = a.id;
    UPDATE operation SET retry_of = older(retry_of) WHERE retry_of IS NOT NULL;
    UPDATE operation t SET id = older, accepted_at = accepted_at - interval '100 days',
                           ended_at = ended_at - interval '100 days'
      FROM aged a WHERE t.id = a.id;
    ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_is_final;
    COMMIT";

/// Makes everything that has ended 100 days older; each operation then has the id that [`aged`] returns. Call it once in a
/// test.
pub(crate) async fn age(pool: &PgPool) {
    eventually_true(pool, "SELECT NOT EXISTS (SELECT FROM new_event)").await;
    let aging = sqlx::raw_sql(AGE).execute(pool).await;
    aging.expect("the database is there");
}

/// The tracking id that an operation has after [`age`].
pub(crate) fn aged(tracking_id: &str) -> String {
    let mut id: TrackingId = tracking_id.parse().expect("a tracking id");
    id.id.0 = Uuid::from_u128(id.id.0.as_u128() - (AGE_MILLIS << 80));
    id.to_string()
}

/// Runs retention, which must come to its end.
async fn retain(pool: &PgPool, settings: RetentionSettings) -> RetentionReport {
    retain_with(Retention::new(Pool::from(pool.clone())), settings).await
}

async fn retain_with(retention: Retention, settings: RetentionSettings) -> RetentionReport {
    let run = retention
        .run(settings)
        .await
        .expect("the database is there");
    let report = match run {
        RetentionRun::Done(report) => Some(report),
        RetentionRun::Elsewhere | RetentionRun::OlderGateway => None,
    };
    report.expect("it comes to its end")
}

/// Makes everything that has ended 100 days older, and archives it. Returns how many operations were archived.
pub(crate) async fn age_and_archive(pool: &PgPool) -> i64 {
    age(pool).await;
    let report = retain(pool, ARCHIVES).await;
    assert_eq!((report.kept, report.dropped), (0, 0));
    report.archived
}

/// Archives an operation.
async fn archive_one(pool: &PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_update("C")).await;
    gateway.end_next(done()).await;
    assert_eq!(age_and_archive(pool).await, 1);
}
