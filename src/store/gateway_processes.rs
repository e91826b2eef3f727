//! The gateways that run on this database.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Store, StoreError, patience::WithTimeout};

/// What a gateway writes about itself.
#[derive(Clone, Debug)]
pub struct GatewayProcess {
    /// Generated at the start of the process.
    pub id: Uuid,
    /// The version of the gateway.
    pub version: String,
    /// Which parts of the gateway the process runs.
    pub role: String,
    /// A digest of each setting, by its name.
    pub settings: Value,
    /// Whether the process exports months of the archive before it drops them.
    pub exports_months: bool,
}

/// A gateway that has written a heartbeat within the last 30 s.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RunningGateway {
    /// Generated at the start of the process.
    pub id: Uuid,
    /// The version of the gateway.
    pub version: String,
    /// Which parts of the gateway the process runs.
    pub role: String,
    /// When the process started.
    pub started_at: DateTime<Utc>,
    /// When the process last wrote a heartbeat.
    pub seen_at: DateTime<Utc>,
    /// A digest of each setting, by its name.
    #[serde(skip)]
    pub settings: Value,
    /// The circuit, the concurrency limit, the operations in flight, and what is blocked; `None` without a worker.
    pub work: Option<Value>,
}

impl Store {
    /// Writes that a gateway runs, and what its worker does.
    pub async fn write_heartbeat(
        &self,
        process: &GatewayProcess,
        work: Option<Value>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "WITH gone AS (
                 DELETE FROM gateway_process WHERE seen_at < now() - interval '1 h' AND id <> $1
             )
             INSERT INTO gateway_process (id, version, role, settings, work, reads_archive, exports_months)
             VALUES ($1, $2, $3, $4, $5, true, $6)
                 ON CONFLICT (id) DO UPDATE SET seen_at = now(), work = excluded.work",
            process.id,
            process.version,
            process.role,
            process.settings,
            work,
            process.exports_months
        )
        .execute(&self.pool)
        .or_fail_to("write a heartbeat")
        .await
        .map(drop)
    }

    /// Removes the row of a gateway that shuts down. That of one that exports months stays for an hour, but not as one that
    /// runs: while it is restarted, no other gateway drops months without an export.
    pub async fn remove_heartbeat(&self, id: Uuid) -> Result<(), StoreError> {
        sqlx::query!(
            "WITH gone AS (
                 UPDATE gateway_process SET seen_at = now() - interval '30 s' WHERE id = $1 AND exports_months
             )
             DELETE FROM gateway_process WHERE id = $1 AND NOT exports_months",
            id
        )
        .execute(&self.pool)
        .or_fail_to("remove a heartbeat")
        .await
        .map(drop)
    }

    /// The gateways that run, the oldest one first.
    pub async fn running_gateways(&self) -> Result<Vec<RunningGateway>, StoreError> {
        sqlx::query_as!(
            RunningGateway,
            "SELECT id, version, role, started_at, seen_at, settings, work
               FROM gateway_process
              WHERE seen_at > now() - interval '30 s'
              ORDER BY started_at, id"
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the gateways that run")
        .await
    }
}
