//! How the endpoints of all owners are, for operators.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::store::{Store, StoreError, patience::WithTimeout};

/// An endpoint as operators see it. Its URL and its headers may contain a secret, so they see neither.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct EndpointHealth {
    /// The id.
    pub id: Uuid,
    /// The owner: `token:` or `bulk:`, and the name.
    pub owner: String,
    /// What its owner calls it.
    pub description: String,
    /// The host of its URL, with the scheme and the port.
    pub receiver: String,
    /// Whether it gets deliveries now.
    pub enabled: bool,
    /// Why the gateway has disabled it. `None`: its owner has, or it is enabled.
    pub disabled_because: Option<String>,
    /// Since when every try has failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// How many deliveries wait, at most 10,000.
    pub waiting: i64,
    /// Whether there are events for which no delivery is planned yet.
    pub is_behind: bool,
    /// When the last try ended.
    pub tried_at: Option<DateTime<Utc>>,
    /// Why the last try failed; `None` if it did not.
    pub error: Option<String>,
}

/// Which endpoints are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthOf {
    /// All.
    All,
    /// The one with this id.
    One(Uuid),
    /// Those at which a person should look: the gateway has disabled them, or no try succeeds.
    InTrouble,
}

impl Store {
    /// Reads how endpoints are, of all owners, at most 1,000.
    pub async fn webhook_health(&self, of: HealthOf) -> Result<Vec<EndpointHealth>, StoreError> {
        let one = match of {
            HealthOf::One(id) => Some(id),
            HealthOf::All | HealthOf::InTrouble => None,
        };
        sqlx::query_as!(
            EndpointHealth,
            r#"SELECT w.id, w.owner, w.description, substring(w.url FROM '^[^:]*://[^/?#]*') AS "receiver!", w.enabled,
                      w.disabled_because, w.failing_since,
                      (SELECT count(*) FROM (SELECT FROM webhook_delivery d
                                              WHERE d.endpoint_id = w.id AND d.due_at IS NOT NULL
                                              LIMIT 10000) waiting) AS "waiting!",
                      EXISTS (SELECT FROM event e WHERE e.owner = w.owner AND e.number > w.position) AS "is_behind!",
                      last.tried_at AS "tried_at?", last.error
                 FROM webhook_endpoint w
                 LEFT JOIN LATERAL (SELECT d.tried_at, d.error FROM webhook_delivery d
                                     WHERE d.endpoint_id = w.id AND d.tried_at IS NOT NULL
                                     ORDER BY d.id DESC
                                     LIMIT 1) last ON true
                WHERE w.removed_at IS NULL
                  AND ($1::uuid IS NULL OR w.id = $1)
                  AND (NOT $2 OR w.disabled_because IS NOT NULL OR w.enabled AND w.failing_since IS NOT NULL)
                ORDER BY w.owner, w.id
                LIMIT 1000"#,
            one,
            of == HealthOf::InTrouble
        )
        .fetch_all(&self.pool)
        .or_fail_to("read how endpoints of webhooks are")
        .await
    }
}
