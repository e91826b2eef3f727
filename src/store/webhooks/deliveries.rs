//! The log of deliveries, and deliveries that owners ask for.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    domain::Owner,
    store::{Store, StoreError, patience::WithTimeout},
};

/// What has become of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits for its next try.
    Waiting,
    /// The receiver has accepted it.
    Delivered,
    /// Every try has failed.
    Failed,
}

impl DeliveryState {
    /// All states, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::Failed];

    /// The name in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A delivery with its last try.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Delivery {
    /// The id.
    pub id: i64,
    /// The endpoint.
    pub endpoint_id: Uuid,
    /// The number of the event; `None` for a message that is about no event.
    pub number: Option<i64>,
    /// The type of the event or of the message.
    pub r#type: String,
    /// How many times it was tried.
    pub tries: i32,
    /// When the next try begins, at the earliest.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was planned.
    pub created_at: DateTime<Utc>,
    /// When the last try ended.
    pub tried_at: Option<DateTime<Utc>>,
    /// How long the last try took, in milliseconds.
    pub took_ms: Option<i32>,
    /// The status that the receiver answered.
    pub status: Option<i32>,
    /// The beginning of what the receiver answered.
    pub response: Option<String>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When the receiver accepted it.
    pub delivered_at: Option<DateTime<Utc>>,
}

impl Delivery {
    /// What has become of it.
    pub const fn state(&self) -> DeliveryState {
        match (&self.delivered_at, &self.due_at) {
            (Some(_), _) => DeliveryState::Delivered,
            (None, Some(_)) => DeliveryState::Waiting,
            (None, None) => DeliveryState::Failed,
        }
    }
}

/// Which deliveries.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this endpoint.
    pub endpoint: Option<Uuid>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// With an id below this one.
    pub before: Option<i64>,
}

impl Store {
    /// Reads deliveries of one owner or of all, the newest first.
    pub async fn webhook_deliveries(
        &self,
        owner: Option<&Owner>,
        filter: DeliveryFilter,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        sqlx::query_as!(
            Delivery,
            r#"SELECT d.id, d.endpoint_id, d.number, d.type, d.tries, d.due_at, d.created_at, d.tried_at, d.took_ms, d.status,
                      d.response, d.error, d.delivered_at
                 FROM webhook_endpoint w
                CROSS JOIN LATERAL (
                      SELECT * FROM webhook_delivery d
                       WHERE d.endpoint_id = w.id AND d.id < $4
                         AND CASE $3 WHEN 'waiting' THEN d.due_at IS NOT NULL
                                     WHEN 'delivered' THEN d.delivered_at IS NOT NULL
                                     WHEN 'failed' THEN d.due_at IS NULL AND d.delivered_at IS NULL
                                     ELSE true END
                       ORDER BY d.id DESC
                       LIMIT $5) d
                WHERE ($1::text IS NULL OR w.owner = $1) AND ($2::uuid IS NULL OR w.id = $2) AND w.removed_at IS NULL
                ORDER BY d.id DESC
                LIMIT $5"#,
            owner.map(Owner::to_string),
            filter.endpoint,
            filter.state.map(DeliveryState::as_str),
            filter.before.unwrap_or(i64::MAX),
            limit
        )
        .fetch_all(&self.pool)
        .or_fail_to("read deliveries of webhooks")
        .await
    }

    /// Adds a message that is about no event, and ends the pause of its endpoint. Returns its id; `None` if the owner has no
    /// such endpoint.
    pub async fn add_webhook_message(
        &self,
        owner: &Owner,
        endpoint: Uuid,
        message_type: &str,
        body: &str,
    ) -> Result<Option<i64>, StoreError> {
        sqlx::query_scalar!(
            "WITH endpoint AS (
                 UPDATE webhook_endpoint SET paused_until = NULL
                  WHERE id = $1 AND owner = $2 AND removed_at IS NULL
              RETURNING id
             )
             INSERT INTO webhook_delivery (endpoint_id, type, body, due_at)
             SELECT id, $3, $4, now() FROM endpoint
          RETURNING id",
            endpoint,
            owner.to_string(),
            message_type,
            body
        )
        .fetch_optional(&self.pool)
        .or_fail_to("add a message for an endpoint of webhooks")
        .await
    }
}
