//! Shows repairs and their progress.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::store::{Store, StoreError, TrackingName, patience::WithTimeout};

/// How many repairs a list shows.
const LISTED: i64 = 100;
/// How many rows a report shows.
const ROWS: i64 = 100;

/// A repair and its progress.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Repair {
    /// The repair.
    pub id: Uuid,
    /// `running`, `stopped` or `done`.
    pub state: String,
    /// The action.
    pub action: String,
    /// The filter that selected the operations.
    pub filter: Value,
    /// What the action needs besides the operation.
    pub options: Value,
    /// Why, in the words of the operator.
    pub reason: String,
    /// The name of the operator's token.
    pub operator: String,
    /// When the operator started it.
    pub started_at: DateTime<Utc>,
    /// When an operator stopped it.
    pub stopped_at: Option<DateTime<Utc>>,
    /// Who stopped it.
    pub stopped_by: Option<String>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How many operations it has.
    pub total: i32,
    /// On how many the action was carried out.
    pub done: i32,
    /// How many were no longer as they were seen, and were left as they were.
    pub changed: i32,
    /// On how many the action was not possible.
    pub refused: i32,
    /// How many are left.
    pub left: i32,
}

/// A repair with the operations on which it did not act.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RepairReport {
    /// The repair.
    #[serde(flatten)]
    pub repair: Repair,
    /// The operations that had changed or on which the action was not possible, at most 100.
    pub not_done: Vec<RepairRow>,
}

/// An operation of a repair.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RepairRow {
    /// The tracking id.
    pub tracking_id: TrackingName,
    /// `changed` or `refused`.
    pub outcome: String,
    /// The code of the reason.
    pub code: Option<String>,
    /// The reason, as a sentence.
    pub message: Option<String>,
}

impl Repair {
    /// Whether a gateway still carries it out.
    pub fn is_running(&self) -> bool {
        self.ended_at.is_none() && self.stopped_at.is_none()
    }
}

impl Store {
    /// The newest repairs, at most 100, the newest one first.
    pub async fn repairs(&self) -> Result<Vec<Repair>, StoreError> {
        self.read_repairs(None).await
    }

    /// A repair with the operations on which it did not act.
    pub async fn repair(&self, id: Uuid) -> Result<Option<RepairReport>, StoreError> {
        let Some(repair) = self.read_repairs(Some(id)).await?.pop() else {
            return Ok(None);
        };
        let rows = sqlx::query!(
            r#"SELECT r.operation_id AS id, COALESCE(o.type, p.type) AS "type!", r.outcome AS "outcome!", r.code, r.message
                 FROM repair_row r
                 LEFT JOIN operation o ON o.id = r.operation_id
                 LEFT JOIN past_operation p ON p.id = r.operation_id
                WHERE r.repair_id = $1 AND r.outcome IN ('changed', 'refused')
                ORDER BY r.number
                LIMIT $2"#,
            id,
            ROWS
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the rows of a repair")
        .await?;
        let not_done = rows.into_iter().map(|row| RepairRow {
            tracking_id: TrackingName::new(&row.r#type, row.id),
            outcome: row.outcome,
            code: row.code,
            message: row.message,
        });
        Ok(Some(RepairReport {
            repair,
            not_done: not_done.collect(),
        }))
    }

    async fn read_repairs(&self, id: Option<Uuid>) -> Result<Vec<Repair>, StoreError> {
        sqlx::query_as!(
            Repair,
            r#"SELECT id, action, filter, options, reason, operator, started_at, stopped_at, stopped_by, ended_at, total,
                      done, changed, refused, total - done - changed - refused AS "left!",
                      CASE WHEN stopped_at IS NOT NULL THEN 'stopped'
                           WHEN ended_at IS NOT NULL THEN 'done'
                           ELSE 'running' END AS "state!"
                 FROM repair
                WHERE $1::uuid IS NULL OR id = $1
                ORDER BY id DESC
                LIMIT $2"#,
            id,
            LISTED
        )
        .fetch_all(&self.pool)
        .or_fail_to("read repairs")
        .await
    }
}
