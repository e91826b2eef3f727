//! Carries out a repair: which gateway does it, which row is next, and what became of a row.

use std::time::Duration;

use uuid::Uuid;

use super::{RepairAction, RepairOptions};
use crate::{
    domain::OperationId,
    store::{Operator, Store, StoreError, operators::seen, patience::WithTimeout},
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
    /// The mark of this gateway in the repair, as long as no other gateway has taken it.
    claim: Uuid,
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
    /// The lane that the operation writes. The rows of a lane follow each other.
    pub lane: String,
}

/// Whether a gateway has to act on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowTurn {
    /// It has.
    Due,
    /// The repair acted on the operation before its gateway died, or before its answer was lost.
    Done,
    /// No: an operator has stopped the repair, or another gateway carries it out.
    Over,
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
        let claim = Uuid::now_v7();
        let row = sqlx::query!(
            "UPDATE repair r
                SET run_until = now() + make_interval(secs => $1), run_by = $2
              WHERE r.id = (SELECT id FROM repair
                             WHERE ended_at IS NULL AND (run_until IS NULL OR run_until < now())
                             ORDER BY started_at, id
                             LIMIT 1
                               FOR NO KEY UPDATE SKIP LOCKED)
          RETURNING r.id, r.action, r.options, r.operator, r.credential_id, r.request_id, r.address, r.reason",
            LEASE_SECONDS,
            claim
        )
        .fetch_optional(&self.pool)
        .or_fail_to("take a repair")
        .await?;
        let Some(row) = row else { return Ok(None) };
        let unknown = || StoreError::Unknown { what: "repair" };
        Ok(Some(ClaimedRepair {
            id: row.id,
            claim,
            action: RepairAction::from_name(&row.action).ok_or_else(unknown)?,
            options: serde_json::from_value(row.options).or(Err(unknown()))?,
            operator: Operator {
                name: row.operator,
                credential: row.credential_id,
                request_id: row.request_id,
                address: row.address,
                reason: Some(row.reason),
                repair: Some(row.id),
                seen: None,
            },
        }))
    }

    /// The next rows that are left of a repair, after the row `after`.
    pub async fn next_rows(
        &self,
        repair: &ClaimedRepair,
        after: i32,
    ) -> Result<Vec<RowToRepair>, StoreError> {
        let rows = sqlx::query!(
            "SELECT r.number, r.operation_id, o.lane
               FROM repair_row r
               JOIN operation o ON o.id = r.operation_id
              WHERE r.repair_id = $1 AND r.outcome IS NULL AND r.number > $2
              ORDER BY r.number
              LIMIT $3",
            repair.id,
            after,
            ROWS
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the next rows of a repair")
        .await?;
        let rows = rows.into_iter().map(|row| RowToRepair {
            number: row.number,
            id: OperationId(row.operation_id),
            lane: row.lane,
        });
        Ok(rows.collect())
    }

    /// Whether this gateway has to act on a row now. If it has, it may go on for another 30 s.
    pub async fn row_turn(
        &self,
        repair: &ClaimedRepair,
        row: &RowToRepair,
    ) -> Result<RowTurn, StoreError> {
        let is_done = sqlx::query_scalar!(
            r#"UPDATE repair SET run_until = now() + make_interval(secs => $3)
                WHERE id = $1 AND run_by = $2 AND stopped_at IS NULL
            RETURNING EXISTS (SELECT FROM audit WHERE repair_id = $1 AND operation_id = $4) AS "is_done!""#,
            repair.id,
            repair.claim,
            LEASE_SECONDS,
            row.id.0
        )
        .fetch_optional(&self.pool)
        .or_fail_to("look whose turn it is in a repair")
        .await?;
        Ok(match is_done {
            None => RowTurn::Over,
            Some(true) => RowTurn::Done,
            Some(false) => RowTurn::Due,
        })
    }

    /// Whether the operation is no longer as it was seen when the repair was started.
    pub async fn has_changed(
        &self,
        repair: &ClaimedRepair,
        row: &RowToRepair,
    ) -> Result<bool, StoreError> {
        const ACTION: &str = "look whether an operation has changed";
        let mut connection = self.pool.acquire().or_fail_to(ACTION).await?;
        seen::has_changed(&mut connection, repair.id, row.id).await
    }

    /// Writes what became of a row. If the audit has an action of the repair on the operation, the row is done,
    /// whatever this gateway has seen: another gateway may have acted at the same time.
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
                 UPDATE repair_row r
                    SET outcome = CASE WHEN b.is_done THEN 'done' ELSE $3 END,
                        code = CASE WHEN NOT b.is_done THEN $4 END, message = CASE WHEN NOT b.is_done THEN $5 END,
                        done_at = now()
                   FROM (SELECT repair_id, number, EXISTS (
                                    SELECT FROM audit a
                                     WHERE a.repair_id = w.repair_id AND a.operation_id = w.operation_id) AS is_done
                           FROM repair_row w
                          WHERE repair_id = $1 AND number = $2) b
                  WHERE r.repair_id = b.repair_id AND r.number = b.number AND r.outcome IS NULL
              RETURNING r.outcome
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

    /// Stops carrying out a repair. Returns whether the repair has ended, because no row is left or because it was
    /// stopped. Otherwise a gateway may go on with it after the pause.
    pub async fn leave_repair(
        &self,
        repair: &ClaimedRepair,
        pause: Duration,
    ) -> Result<bool, StoreError> {
        let has_ended = sqlx::query_scalar!(
            r#"UPDATE repair r
                  SET run_by = NULL, run_until = CASE WHEN NOT b.is_over THEN now() + make_interval(secs => $3) END,
                      ended_at = CASE WHEN b.is_over THEN now() END
                 FROM (SELECT id, stopped_at IS NOT NULL OR NOT EXISTS (
                                  SELECT FROM repair_row WHERE repair_id = $1 AND outcome IS NULL) AS is_over
                         FROM repair
                        WHERE id = $1 AND run_by = $2 AND ended_at IS NULL
                          FOR NO KEY UPDATE) b
                WHERE r.id = b.id
            RETURNING r.ended_at IS NOT NULL AS "has_ended!""#,
            repair.id,
            repair.claim,
            pause.as_secs_f64()
        )
        .fetch_optional(&self.pool)
        .or_fail_to("leave a repair")
        .await?;
        Ok(has_ended.unwrap_or_default())
    }
}
