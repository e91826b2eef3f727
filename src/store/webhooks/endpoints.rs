//! The endpoints of an owner.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    domain::Owner,
    store::{Store, StoreError, connect, patience::WithTimeout},
};

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
    /// The owner, as [`Owner`] is displayed.
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
        owner: &Owner,
        settings: &EndpointSettings,
        secret: &[u8],
    ) -> Result<Option<Endpoint>, StoreError> {
        const ACTION: &str = "create an endpoint of webhooks";
        let mut transaction = connect::begin_batch(&self.pool).or_fail_to(ACTION).await?;
        // Two requests of an owner at the same time are counted one after the other.
        sqlx::query!(
            "SELECT pg_advisory_xact_lock(hashtext($1))",
            owner.to_string()
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        let row = sqlx::query_as!(
            Row,
            r#"INSERT INTO webhook_endpoint AS w
                      (id, owner, url, description, event_types, headers, rate, ordered, thin, enabled, position)
               SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, COALESCE((SELECT last FROM event_sequence), 0)
                WHERE (SELECT count(*) FROM webhook_endpoint WHERE owner = $2 AND removed_at IS NULL) < $11
            RETURNING w.id, w.owner, w.url, w.description, w.event_types, w.headers AS "headers: Json<Headers>", w.rate,
                      w.ordered, w.thin, w.enabled, w.disabled_because, w.failing_since, w.created_at"#,
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
            MOST
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        sqlx::query!(
            "INSERT INTO webhook_secret (endpoint_id, secret) VALUES ($1, $2)",
            row.id,
            secret
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(Some(row.into()))
    }

    /// Reads endpoints: those of one owner or of all, all of them or one.
    pub async fn webhooks(
        &self,
        owner: Option<&Owner>,
        id: Option<Uuid>,
    ) -> Result<Vec<Endpoint>, StoreError> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT id, owner, url, description, event_types, headers AS "headers: Json<Headers>", rate, ordered, thin, enabled,
                      disabled_because, failing_since, created_at
                 FROM webhook_endpoint
                WHERE ($1::text IS NULL OR owner = $1) AND ($2::uuid IS NULL OR id = $2) AND removed_at IS NULL
                ORDER BY id
                LIMIT 1000"#,
            owner.map(Owner::to_string),
            id
        )
        .fetch_all(&self.pool)
        .or_fail_to("read endpoints of webhooks")
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Changes the settings of an endpoint. If they enable it, its pause ends. `None`: the owner has no such endpoint.
    pub async fn change_webhook<E>(
        &self,
        owner: &Owner,
        id: Uuid,
        change: impl FnOnce(EndpointSettings) -> Result<EndpointSettings, E>,
    ) -> Result<Option<Result<Endpoint, E>>, StoreError> {
        const ACTION: &str = "change an endpoint of webhooks";
        let mut transaction = connect::begin_batch(&self.pool).or_fail_to(ACTION).await?;
        let row = sqlx::query_as!(
            Row,
            r#"SELECT id, owner, url, description, event_types, headers AS "headers: Json<Headers>", rate, ordered, thin, enabled,
                      disabled_because, failing_since, created_at
                 FROM webhook_endpoint
                WHERE id = $1 AND owner = $2 AND removed_at IS NULL
                  FOR UPDATE"#,
            id,
            owner.to_string()
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        let Some(endpoint) = row.map(Endpoint::from) else {
            return Ok(None);
        };
        let settings = match change(endpoint.settings) {
            Ok(settings) => settings,
            Err(error) => return Ok(Some(Err(error))),
        };
        let row = sqlx::query_as!(
            Row,
            r#"UPDATE webhook_endpoint AS w
                  SET url = $2, description = $3, event_types = $4, headers = $5, rate = $6, ordered = $7, thin = $8,
                      enabled = $9, disabled_because = CASE WHEN $9 THEN NULL ELSE disabled_because END,
                      failures = CASE WHEN $9 AND NOT enabled THEN 0 ELSE failures END,
                      failing_since = CASE WHEN $9 AND NOT enabled THEN NULL ELSE failing_since END,
                      paused_until = CASE WHEN $9 THEN NULL ELSE paused_until END
                WHERE id = $1
            RETURNING w.id, w.owner, w.url, w.description, w.event_types, w.headers AS "headers: Json<Headers>", w.rate,
                      w.ordered, w.thin, w.enabled, w.disabled_because, w.failing_since, w.created_at"#,
            id,
            settings.url,
            settings.description,
            settings.event_types.as_deref(),
            Json(&settings.headers) as _,
            settings.rate,
            settings.ordered,
            settings.thin,
            settings.enabled
        )
        .fetch_one(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(Some(Ok(row.into())))
    }

    /// Removes an endpoint. Returns whether there was one. Its deliveries are deleted later.
    pub async fn remove_webhook(&self, owner: &Owner, id: Uuid) -> Result<bool, StoreError> {
        let removed = sqlx::query!(
            "UPDATE webhook_endpoint SET removed_at = now(), enabled = false
              WHERE id = $1 AND owner = $2 AND removed_at IS NULL",
            id,
            owner.to_string()
        )
        .execute(&self.pool)
        .or_fail_to("remove an endpoint of webhooks")
        .await?;
        Ok(removed.rows_affected() == 1)
    }

    /// Delivers again what has happened since a time and was not delivered to the endpoint: what was given up is due now,
    /// and so is what happened before the endpoint was created. Returns whether there is such an endpoint.
    pub async fn recover_webhook(
        &self,
        owner: &Owner,
        id: Uuid,
        since: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let recovered = sqlx::query_scalar!(
            r#"WITH endpoint AS (
                   UPDATE webhook_endpoint SET position = least(position, $3::bigint - 1)
                    WHERE id = $1 AND owner = $2 AND removed_at IS NULL
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
