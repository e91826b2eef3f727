//! What became of tries, and when an endpoint is disabled because of them.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::{Store, StoreError, connect, patience::WithTimeout};

const ACTION: &str = "record what became of webhooks";

/// After this time without a success, an endpoint is disabled.
const DISABLED_AFTER: Duration = Duration::from_hours(5 * 24);

/// A try of a delivery.
#[derive(Clone, Debug)]
pub struct Try {
    /// The delivery.
    pub delivery: i64,
    /// How long it took.
    pub took: Duration,
    /// The status that the receiver answered.
    pub status: Option<u16>,
    /// The beginning of what the receiver answered.
    pub response: Option<String>,
    /// Why it failed; `None` if the receiver has accepted the delivery.
    pub error: Option<String>,
    /// After which time the next try begins; `None`: there is none.
    pub next: Option<Duration>,
    /// Whether the receiver wants no more deliveries.
    pub is_gone: bool,
}

impl Store {
    /// Records tries of deliveries to one endpoint at this URL. `failures`: how many tries have failed in a row, if all of these
    /// failed; `pause`: after which time the next try then begins.
    /// If the endpoint is disabled because of them, returns why; each other endpoint of its owner is then told.
    pub async fn record_webhooks(
        &self,
        (endpoint, url): (Uuid, &str),
        tries: &[Try],
        (failures, pause): (u32, Duration),
    ) -> Result<Option<String>, StoreError> {
        let mut transaction = connect::begin_batch(&self.pool).or_fail_to(ACTION).await?;
        let column =
            |value: fn(&Try) -> Option<String>| -> Vec<_> { tries.iter().map(value).collect() };
        let ids: Vec<_> = tries.iter().map(|a| a.delivery).collect();
        let took: Vec<_> = tries
            .iter()
            .map(|a| i32::try_from(a.took.as_millis()).unwrap_or(i32::MAX))
            .collect();
        let statuses: Vec<_> = tries.iter().map(|a| a.status.map(i32::from)).collect();
        let next: Vec<_> = tries
            .iter()
            .map(|a| a.next.map(|next| next.as_secs_f64()))
            .collect();
        sqlx::query!(
            "UPDATE webhook_delivery d
                SET tries = tries + 1, tried_at = now(), took_ms = t.took_ms, status = t.status, response = t.response,
                    error = t.error, due_at = now() + make_interval(secs => t.next),
                    delivered_at = CASE WHEN t.error IS NULL THEN now() END
               FROM UNNEST($2::bigint[], $3::integer[], $4::integer[], $5::text[], $6::text[], $7::float8[])
                    t (id, took_ms, status, response, error, next)
              WHERE d.id = t.id AND d.endpoint_id = $1
                -- Another process may have delivered it, after this one had lost its lease.
                AND (d.delivered_at IS NULL OR t.error IS NULL)",
            endpoint,
            &ids,
            &took,
            &statuses as &[Option<i32>],
            &column(|a| a.response.clone()) as &[Option<String>],
            &column(|a| a.error.clone()) as &[Option<String>],
            &next as &[Option<f64>]
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        let disabled = sqlx::query_scalar!(
            "UPDATE webhook_endpoint
                SET failures = CASE WHEN $3 THEN $2 ELSE 0 END,
                    failing_since = CASE WHEN $3 THEN COALESCE(failing_since, now()) END,
                    paused_until = CASE WHEN $3 THEN now() + make_interval(secs => $4) END,
                    enabled = CASE WHEN $5 THEN false
                                   WHEN $3 AND failing_since < now() - make_interval(secs => $6) THEN false
                                   ELSE enabled END,
                    disabled_because = CASE WHEN $5 THEN 'the receiver answered 410: it wants no more'
                                            WHEN $3 AND failing_since < now() - make_interval(secs => $6)
                                            THEN 'every try has failed for five days'
                                            ELSE disabled_because END
              WHERE id = $1 AND url = $7 AND enabled AND ($3 OR $5 OR failing_since IS NOT NULL)
          RETURNING CASE WHEN NOT enabled THEN disabled_because END",
            endpoint,
            i32::try_from(failures).unwrap_or(i32::MAX),
            tries.iter().all(|a| a.error.is_some()),
            pause.as_secs_f64(),
            tries.iter().any(|a| a.is_gone),
            DISABLED_AFTER.as_secs_f64(),
            url
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?
        .flatten();
        if let Some(because) = &disabled {
            tell_others(&mut transaction, endpoint, because).await?;
        }
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(disabled)
    }

    /// Gives up deliveries whose events were deleted because of their age.
    pub async fn give_up_webhooks(&self, deliveries: &[i64]) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE webhook_delivery
                SET due_at = NULL, error = 'the event was deleted because of its age'
              WHERE id = ANY ($1)",
            deliveries
        )
        .execute(&self.pool)
        .or_fail_to(ACTION)
        .await
        .map(drop)
    }
}

/// Adds a message for each other endpoint of the owner.
async fn tell_others(
    connection: &mut PgConnection,
    endpoint: Uuid,
    because: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"INSERT INTO webhook_delivery (endpoint_id, type, body, due_at)
           SELECT other.id, 'webhook.disabled',
                  json_build_object(
                      'type', 'webhook.disabled',
                      'timestamp', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                      'data', json_build_object('endpoint_id', disabled.id, 'description', disabled.description,
                                                'because', $2::text)),
                  now()
             FROM webhook_endpoint disabled
             JOIN webhook_endpoint other ON other.owner = disabled.owner AND other.id <> disabled.id
            WHERE disabled.id = $1 AND other.enabled AND other.removed_at IS NULL
              AND (other.event_types IS NULL OR 'webhook.disabled' = ANY (other.event_types))"#,
        endpoint,
        because
    )
    .execute(connection)
    .or_fail_to(ACTION)
    .await
    .map(drop)
}
