//! Which endpoints this process delivers to: each endpoint belongs to one process at a time, as long as it renews its
//! lease. So the rate, the order and the pauses of an endpoint need no coordination between processes.

use std::fmt;

use sqlx::types::Json;
use uuid::Uuid;

use super::endpoints::Headers;
use crate::{
    domain::Owner,
    store::{Store, StoreError, patience::WithTimeout},
};

/// How many events are planned together.
const CHUNK: i64 = 1_000;

/// While this many deliveries of an ordered endpoint wait for others of their lanes, or for their next try, no more are
/// planned.
const MOST_WAITING: i64 = 20_000;

/// An endpoint to which this process delivers.
#[derive(Clone)]
pub struct RunningEndpoint {
    /// Where deliveries are sent.
    pub url: String,
    /// Headers of its own.
    pub headers: Headers,
    /// How many deliveries begin in a second at most.
    pub rate: Option<i32>,
    /// Whether an event of a lane waits until the one before it was delivered.
    pub ordered: bool,
    /// Whether deliveries contain ids only.
    pub thin: bool,
    /// The keys of its signatures, the newest first.
    pub secrets: Vec<Vec<u8>>,
    /// How many tries have failed since the last success.
    pub failures: i32,
    /// For how many seconds nothing is to be sent.
    pub paused_for: f64,
}

impl fmt::Debug for RunningEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL, the headers and the keys are secrets.
        f.write_str("RunningEndpoint")
    }
}

struct Row {
    url: String,
    headers: Json<Headers>,
    rate: Option<i32>,
    ordered: bool,
    thin: bool,
    secrets: Vec<Vec<u8>>,
    failures: i32,
    paused_for: f64,
}

impl Store {
    /// Takes every enabled endpoint to which no other process delivers, for 30 s, and renews the leases of this process's
    /// own. Returns the endpoints of this process.
    pub async fn lease_webhooks(&self, process: Uuid) -> Result<Vec<(Uuid, Owner)>, StoreError> {
        let rows = sqlx::query!(
            r#"WITH leased AS (
                   UPDATE webhook_endpoint SET run_by = $1, run_until = now() + interval '30 s'
                    WHERE id IN (SELECT id FROM webhook_endpoint
                                  WHERE enabled AND removed_at IS NULL
                                    AND (run_until IS NULL OR run_until < now()
                                         OR (run_by = $1 AND run_until < now() + interval '20 s'))
                                    FOR UPDATE SKIP LOCKED)
                RETURNING id, owner
               )
               SELECT id AS "id!", owner AS "owner!" FROM leased
                UNION
               SELECT id, owner FROM webhook_endpoint WHERE enabled AND run_by = $1 AND run_until > now()"#,
            process
        )
        .fetch_all(&self.pool)
        .or_fail_to("lease endpoints of webhooks")
        .await?;
        let leased = rows.into_iter();
        Ok(leased
            .filter_map(|row| Some((row.id, Owner::from_text(&row.owner)?)))
            .collect())
    }

    /// Lets other processes deliver to the endpoints of this one.
    pub async fn leave_webhooks(&self, process: Uuid) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE webhook_endpoint SET run_by = NULL, run_until = NULL WHERE run_by = $1",
            process
        )
        .execute(&self.pool)
        .or_fail_to("leave endpoints of webhooks")
        .await
        .map(drop)
    }

    /// Reads an endpoint to deliver to. `None`: it is disabled or removed, or the lease of this process may end before a try
    /// that begins now, which takes up to 15 s.
    pub async fn running_webhook(
        &self,
        process: Uuid,
        endpoint: Uuid,
    ) -> Result<Option<RunningEndpoint>, StoreError> {
        let row = sqlx::query_as!(
            Row,
            r#"SELECT url, headers AS "headers: Json<Headers>", rate, ordered, thin, failures,
                      ARRAY(SELECT s.secret FROM webhook_secret s
                             WHERE s.endpoint_id = w.id AND (s.valid_until IS NULL OR s.valid_until > now())
                             ORDER BY s.created_at DESC
                             LIMIT 5) AS "secrets!",
                      greatest(0, COALESCE(EXTRACT(EPOCH FROM paused_until - now()), 0))::float8 AS "paused_for!"
                 FROM webhook_endpoint w
                WHERE id = $2 AND run_by = $1 AND run_until > now() + interval '16 s' AND enabled AND removed_at IS NULL"#,
            process,
            endpoint
        )
        .fetch_optional(&self.pool)
        .or_fail_to("read an endpoint of webhooks")
        .await?;
        Ok(row.map(|row| RunningEndpoint {
            url: row.url,
            headers: row.headers.0,
            rate: row.rate,
            ordered: row.ordered,
            thin: row.thin,
            secrets: row.secrets,
            failures: row.failures,
            paused_for: row.paused_for,
        }))
    }

    /// Plans deliveries of the next events of an endpoint, and moves its position behind them. Returns whether there were
    /// any.
    pub async fn plan_webhooks(&self, endpoint: Uuid) -> Result<bool, StoreError> {
        // A number is visible only after every smaller one (migrations/0003_events.sql), so no event is passed over. An
        // endpoint without new events is not locked: a lock is a write.
        let planned = sqlx::query!(
            "WITH endpoint AS (
                 SELECT id, owner, event_types, position FROM webhook_endpoint w
                  WHERE id = $1 AND enabled AND removed_at IS NULL
                    AND EXISTS (SELECT FROM event WHERE owner = w.owner AND number > w.position)
                    AND (NOT ordered OR (SELECT count(*) FROM (SELECT FROM webhook_delivery
                                                                WHERE endpoint_id = $1 AND due_at IS NOT NULL
                                                                LIMIT $3) waiting) < $3)
                    FOR UPDATE
             ), page AS (
                 SELECT w.event_types, e.number, e.type, e.operation_id, e.batch_id
                   FROM endpoint w
                  CROSS JOIN LATERAL (SELECT * FROM event
                                       WHERE owner = w.owner AND number > w.position
                                       ORDER BY number
                                       LIMIT $2) e
             ), next AS (
                 SELECT e.number, e.type, COALESCE(o.lane, past.lane, e.batch_id::text, e.operation_id::text) AS lane, e.event_types
                   FROM page e
                   LEFT JOIN operation o ON o.id = e.operation_id
                   LEFT JOIN past_names(ARRAY(SELECT operation_id FROM page)) past ON past.id = e.operation_id
             ), planned AS (
                 INSERT INTO webhook_delivery (endpoint_id, number, type, lane, due_at)
                 SELECT $1, number, type, lane, now() FROM next
                  WHERE event_types IS NULL OR type = ANY (event_types)
                  ORDER BY number
                     ON CONFLICT (endpoint_id, number) DO NOTHING
             )
             UPDATE webhook_endpoint SET position = (SELECT max(number) FROM next)
              WHERE id = $1 AND EXISTS (SELECT FROM next)",
            endpoint,
            CHUNK,
            MOST_WAITING
        )
        .execute(&self.pool)
        .or_fail_to("plan deliveries of webhooks")
        .await?;
        Ok(planned.rows_affected() == 1)
    }
}
