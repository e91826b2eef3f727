//! The endpoints of an owner.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use crate::store::{EventOwner, Store, StoreError, patience::WithTimeout};

/// Headers with their values.
pub(super) type Headers = BTreeMap<String, String>;

/// How many endpoints an owner may have.
const MOST: i64 = 20;

/// What an owner decides about an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSettings {
    /// Where deliveries are sent.
    pub url: String,
    /// What its owner calls it.
    pub description: String,
    /// The names of the event types that it gets; `None`: all.
    pub event_types: Option<Vec<String>>,
    /// Headers of its own. The values may be secret.
    pub headers: Headers,
    /// How many deliveries begin in a second at most; `None`: as many as it takes.
    pub rate: Option<i32>,
    /// Whether an event of a lane waits until the one before it was delivered.
    pub ordered: bool,
    /// Whether deliveries contain ids only.
    pub thin: bool,
    /// Whether it gets deliveries now. The events of a disabled endpoint wait.
    pub enabled: bool,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The id.
    pub id: Uuid,
    /// The owner, as [`EventOwner`] is displayed.
    pub owner: String,
    /// What the owner decided.
    pub settings: EndpointSettings,
    /// Why the gateway has disabled it.
    pub disabled_because: Option<String>,
    /// Since when every try has failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    owner: String,
    url: String,
    description: String,
    event_types: Option<Vec<String>>,
    headers: Json<Headers>,
    rate: Option<i32>,
    ordered: bool,
    thin: bool,
    enabled: bool,
    disabled_because: Option<String>,
    failing_since: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Row> for Endpoint {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            settings: EndpointSettings {
                url: row.url,
                description: row.description,
                event_types: row.event_types,
                headers: row.headers.0,
                rate: row.rate,
                ordered: row.ordered,
                thin: row.thin,
                enabled: row.enabled,
            },
            disabled_because: row.disabled_because,
            failing_since: row.failing_since,
            created_at: row.created_at,
        }
    }
}

impl Store {
    /// Creates an endpoint, which gets the events from now on. `None`: the owner has as many as it may have.
    pub async fn create_webhook(
        &self,
        owner: &EventOwner,
        settings: &EndpointSettings,
        secret: &[u8],
    ) -> Result<Option<Endpoint>, StoreError> {
        let row = sqlx::query_as!(
            Row,
            r#"INSERT INTO webhook_endpoint AS w
                      (id, owner, url, description, event_types, headers, rate, ordered, thin, enabled, secret, position)
               SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, COALESCE((SELECT last FROM event_sequence), 0)
                WHERE (SELECT count(*) FROM webhook_endpoint WHERE owner = $2) < $12
            RETURNING w.id, w.owner, w.url, w.description, w.event_types, w.headers AS "headers: Json<Headers>", w.rate, w.ordered,
                      w.thin, w.enabled, w.disabled_because, w.failing_since, w.created_at"#,
            Uuid::now_v7(),
            owner.to_string(),
            settings.url,
            settings.description,
            settings.event_types.as_deref(),
            Json(&settings.headers) as _,
            settings.rate,
            settings.ordered,
            settings.thin,
            settings.enabled,
            secret,
            MOST
        )
        .fetch_optional(&self.pool)
        .or_fail_to("create an endpoint of webhooks")
        .await?;
        Ok(row.map(Into::into))
    }

    /// Reads endpoints: those of one owner or of all, all of them or one.
    pub async fn webhooks(
        &self,
        owner: Option<&EventOwner>,
        id: Option<Uuid>,
    ) -> Result<Vec<Endpoint>, StoreError> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT id, owner, url, description, event_types, headers AS "headers: Json<Headers>", rate, ordered, thin, enabled,
                      disabled_because, failing_since, created_at
                 FROM webhook_endpoint
                WHERE ($1::text IS NULL OR owner = $1) AND ($2::uuid IS NULL OR id = $2)
                ORDER BY id
                LIMIT 1000"#,
            owner.map(EventOwner::to_string),
            id
        )
        .fetch_all(&self.pool)
        .or_fail_to("read endpoints of webhooks")
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Changes an endpoint to these settings. If they enable it, it begins anew, as if no try had failed. Returns whether
    /// there is such an endpoint.
    pub async fn change_webhook(
        &self,
        owner: &EventOwner,
        id: Uuid,
        settings: &EndpointSettings,
    ) -> Result<bool, StoreError> {
        let changed = sqlx::query!(
            "UPDATE webhook_endpoint
                SET url = $3, description = $4, event_types = $5, headers = $6, rate = $7, ordered = $8, thin = $9,
                    enabled = $10, disabled_because = CASE WHEN $10 THEN NULL ELSE disabled_because END,
                    failures = CASE WHEN $10 AND NOT enabled THEN 0 ELSE failures END,
                    failing_since = CASE WHEN $10 AND NOT enabled THEN NULL ELSE failing_since END,
                    paused_until = CASE WHEN $10 AND NOT enabled THEN NULL ELSE paused_until END
              WHERE id = $1 AND owner = $2",
            id,
            owner.to_string(),
            settings.url,
            settings.description,
            settings.event_types.as_deref(),
            Json(&settings.headers) as _,
            settings.rate,
            settings.ordered,
            settings.thin,
            settings.enabled
        )
        .execute(&self.pool)
        .or_fail_to("change an endpoint of webhooks")
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Removes an endpoint with its deliveries. Returns whether there was one.
    pub async fn remove_webhook(&self, owner: &EventOwner, id: Uuid) -> Result<bool, StoreError> {
        let removed = sqlx::query!(
            r#"WITH gone AS (
                   DELETE FROM webhook_endpoint WHERE id = $1 AND owner = $2 RETURNING id
               ), deliveries AS (
                   DELETE FROM webhook_delivery WHERE endpoint_id IN (SELECT id FROM gone)
               )
               SELECT id FROM gone"#,
            id,
            owner.to_string()
        )
        .fetch_optional(&self.pool)
        .or_fail_to("remove an endpoint of webhooks")
        .await?;
        Ok(removed.is_some())
    }

    /// Gives an endpoint a new key. The gateway also signs with the old one until the overlap is over.
    pub async fn rotate_webhook(
        &self,
        owner: &EventOwner,
        id: Uuid,
        secret: &[u8],
        overlap: Duration,
    ) -> Result<bool, StoreError> {
        let rotated = sqlx::query!(
            "UPDATE webhook_endpoint
                SET old_secret = secret, old_secret_until = now() + make_interval(secs => $4), secret = $3
              WHERE id = $1 AND owner = $2",
            id,
            owner.to_string(),
            secret,
            overlap.as_secs_f64()
        )
        .execute(&self.pool)
        .or_fail_to("rotate the key of an endpoint of webhooks")
        .await?;
        Ok(rotated.rows_affected() == 1)
    }

    /// Delivers again what has happened since a time and was not delivered to the endpoint: what was given up is due now,
    /// and so is what happened before the endpoint was created. Returns whether there is such an endpoint.
    pub async fn recover_webhook(
        &self,
        owner: &EventOwner,
        id: Uuid,
        since: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let recovered = sqlx::query_scalar!(
            r#"WITH endpoint AS (
                   UPDATE webhook_endpoint SET position = least(position, $3::bigint - 1)
                    WHERE id = $1 AND owner = $2
                RETURNING id
               ), due AS (
                   UPDATE webhook_delivery d SET due_at = now(), tries = 0
                     FROM endpoint e
                    WHERE d.endpoint_id = e.id AND d.number >= $3 AND d.due_at IS NULL AND d.delivered_at IS NULL
               )
               SELECT count(*) AS "count!" FROM endpoint"#,
            id,
            owner.to_string(),
            // A number is a time in microseconds.
            since.timestamp_micros()
        )
        .fetch_one(&self.pool)
        .or_fail_to("recover what an endpoint of webhooks has missed")
        .await?;
        Ok(recovered == 1)
    }
}
