//! Carries out a repair: which gateway does it, which row is next, and what became of a row.

use uuid::Uuid;

use super::{RepairAction, RepairOptions};
use crate::{
    domain::OperationId,
    store::{Operator, Store, StoreError, patience::WithTimeout},
};

/// How many rows are read together.
const ROWS: i64 = 50;
/// How long a gateway may carry out a repair before it says again that it goes on.
const LEASE_SECONDS: f64 = 30.0;

/// A repair that this gateway carries out.
#[derive(Debug)]
pub struct ClaimedRepair {
    /// The repair.
    pub id: Uuid,
    /// What to do with each operation.
    pub action: RepairAction,
    /// What the action needs besides the operation.
    pub options: RepairOptions,
    /// The operator who started it, for the audit.
    pub operator: Operator,
}

/// A row whose turn has come.
#[derive(Debug)]
pub struct RowToRepair {
    /// The number of the row.
    pub number: i32,
    /// The operation.
    pub id: OperationId,
    seen: String,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// The action was carried out.
    Done,
    /// The operation was no longer as it was seen when the repair was started.
    Changed,
    /// The action was not possible.
    Refused {
        /// The code of the reason.
        code: String,
        /// The reason, as a sentence.
        message: String,
    },
}

impl Store {
    /// Takes a repair that no gateway carries out, the oldest one first.
    pub async fn claim_repair(&self) -> Result<Option<ClaimedRepair>, StoreError> {
        let row = sqlx::query!(
            "UPDATE repair r
                SET run_until = now() + make_interval(secs => $1)
              WHERE r.id = (SELECT id FROM repair
                             WHERE ended_at IS NULL AND (run_until IS NULL OR run_until < now())
                             ORDER BY started_at, id
                             LIMIT 1
                               FOR NO KEY UPDATE SKIP LOCKED)
          RETURNING r.id, r.action, r.options, r.operator, r.request_id, r.address, r.reason",
            LEASE_SECONDS
        )
        .fetch_optional(&self.pool)
        .or_fail_to("take a repair")
        .await?;
        let Some(row) = row else { return Ok(None) };
        let unknown = || StoreError::Unknown { what: "repair" };
        Ok(Some(ClaimedRepair {
            id: row.id,
            action: RepairAction::from_name(&row.action).ok_or_else(unknown)?,
            options: serde_json::from_value(row.options).or(Err(unknown()))?,
            operator: Operator {
                name: row.operator,
                request_id: row.request_id,
                address: row.address,
                reason: Some(row.reason),
                repair: Some(row.id),
            },
        }))
    }

    /// The next rows of a repair that this gateway carries out, and for how long. None if there are none left, or if an
    /// operator has stopped the repair.
    pub async fn next_rows(&self, repair: Uuid) -> Result<Vec<RowToRepair>, StoreError> {
        const ACTION: &str = "read the next rows of a repair";
        let goes_on = sqlx::query_scalar!(
            "UPDATE repair SET run_until = now() + make_interval(secs => $2)
              WHERE id = $1 AND stopped_at IS NULL
          RETURNING id",
            repair,
            LEASE_SECONDS
        )
        .fetch_optional(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        if goes_on.is_none() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query!(
            "SELECT number, operation_id, seen FROM repair_row
              WHERE repair_id = $1 AND outcome IS NULL
              ORDER BY number
              LIMIT $2",
            repair,
            ROWS
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let rows = rows.into_iter().map(|row| RowToRepair {
            number: row.number,
            id: OperationId(row.operation_id),
            seen: row.seen,
        });
        Ok(rows.collect())
    }

    /// Whether the repair has acted on this operation before its gateway died.
    pub async fn is_repaired(&self, repair: Uuid, row: &RowToRepair) -> Result<bool, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM audit WHERE repair_id = $1 AND operation_id = $2) AS "is_done!""#,
            repair,
            row.id.0
        )
        .fetch_one(&self.pool)
        .or_fail_to("look whether a row of a repair is done")
        .await
    }

    /// Whether the operation is no longer as it was seen when the repair was started.
    pub async fn has_changed(&self, repair: Uuid, row: &RowToRepair) -> Result<bool, StoreError> {
        Ok(self.see(repair, row.id.0).await?.as_ref() != Some(&row.seen))
    }

    /// Writes what became of a row.
    pub async fn write_row(
        &self,
        repair: Uuid,
        number: i32,
        outcome: &RowOutcome,
    ) -> Result<(), StoreError> {
        let (name, code, message) = match outcome {
            RowOutcome::Done => ("done", None, None),
            RowOutcome::Changed => ("changed", None, None),
            RowOutcome::Refused { code, message } => {
                ("refused", Some(code.as_str()), Some(message.as_str()))
            }
        };
        sqlx::query!(
            "WITH written AS (
                 UPDATE repair_row
                    SET outcome = $3, code = $4, message = $5, done_at = now()
                  WHERE repair_id = $1 AND number = $2 AND outcome IS NULL
              RETURNING outcome
             )
             UPDATE repair r
                SET done = r.done + (w.outcome = 'done')::int,
                    changed = r.changed + (w.outcome = 'changed')::int,
                    refused = r.refused + (w.outcome = 'refused')::int
               FROM written w
              WHERE r.id = $1",
            repair,
            number,
            name,
            code,
            message
        )
        .execute(&self.pool)
        .or_fail_to("write what became of a row of a repair")
        .await
        .map(drop)
    }

    /// Writes that a repair is over, because no row is left or because it was stopped.
    pub async fn end_repair(&self, repair: Uuid) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE repair SET ended_at = now(), run_until = NULL WHERE id = $1 AND ended_at IS NULL",
            repair
        )
        .execute(&self.pool)
        .or_fail_to("end a repair")
        .await
        .map(drop)
    }

    /// Leaves a repair to another gateway, because this one shuts down.
    pub async fn leave_repair(&self, repair: Uuid) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE repair SET run_until = NULL WHERE id = $1 AND ended_at IS NULL",
            repair
        )
        .execute(&self.pool)
        .or_fail_to("leave a repair to another gateway")
        .await
        .map(drop)
    }
}
