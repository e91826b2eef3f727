//! Operators' confirmations about Fineract's books: that the books have changed, or that a number still means the same
//! object.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{ActionError, Operator, Unfit, audit::Action};
use crate::store::{Store, StoreError, connect, patience::WithTimeout};

/// The largest number of conflicts that the report lists.
const CONFLICTS: i64 = 100;

/// What this database knows of Fineract's books.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct BooksReport {
    /// The current epoch.
    pub epoch: i32,
    /// When the epoch began.
    pub began_at: DateTime<Utc>,
    /// Numbers that two lanes have received, at most 100. The conflict that was found last is the first one.
    pub number_conflicts: Vec<NumberConflict>,
}

/// A number that two lanes have received, although Fineract assigns each number only once.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct NumberConflict {
    /// The lane that received the number last.
    pub lane: String,
    /// The lane that had received the number before.
    pub other_lane: String,
    /// The number.
    pub number: i64,
    /// When the gateway found the conflict.
    pub found_at: DateTime<Utc>,
}

/// The result of confirming that the books have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct NewEpoch {
    /// The new epoch.
    pub epoch: i32,
    /// How many operations were parked because they had been sent to the earlier books.
    pub parked: u64,
}

/// A confirmation that a number still belongs to a lane's client or loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberConfirmation {
    /// The lane.
    pub lane: String,
    /// The number.
    pub number: i64,
    /// The external id that Fineract shows for the number now.
    pub external_id: String,
    /// Why the number still belongs to the same object.
    pub reason: String,
}

impl Store {
    /// Reads what this database knows of Fineract's books.
    pub async fn books(&self) -> Result<BooksReport, StoreError> {
        const ACTION: &str = "read what is known of Fineract's books";
        let books = sqlx::query!("SELECT epoch, began_at FROM books")
            .fetch_one(&self.pool)
            .or_fail_to(ACTION)
            .await?;
        let number_conflicts = sqlx::query_as!(
            NumberConflict,
            "SELECT lane, other_lane, number, found_at FROM number_conflict
              ORDER BY found_at DESC, lane, other_lane LIMIT $1",
            CONFLICTS
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        Ok(BooksReport {
            epoch: books.epoch,
            began_at: books.began_at,
            number_conflicts,
        })
    }

    /// Begins a new epoch. Numbers of earlier epochs are not used any more. Operations that were sent before and have
    /// not ended are parked and never sent again. `ending` is the epoch that the request wants to end, so a repeated
    /// request has no further effect.
    pub async fn confirm_books(
        &self,
        ending: i32,
        reason: &str,
        operator: &Operator,
    ) -> Result<NewEpoch, ActionError> {
        const ACTION: &str = "begin a new epoch of Fineract's books";
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let epoch = sqlx::query_scalar!(
            "UPDATE books SET epoch = epoch + 1, began_at = now() WHERE epoch = $1 RETURNING epoch",
            ending
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?
        .ok_or(Unfit::OtherEpoch)?;
        let parked = sqlx::query!(
            "WITH sent AS (
                 -- Every operation that has not ended writes exactly one lane. Its entry there is found without reading
                 -- operations that have ended.
                 SELECT o.id FROM lane_entry p
                   JOIN operation o ON o.id = p.operation_id
                  WHERE p.writes AND o.due_at IS NOT NULL
                    AND EXISTS (SELECT FROM attempt a
                                 WHERE a.operation_id = o.id AND a.error IS DISTINCT FROM 'not_sent')
                  ORDER BY o.id
                    FOR NO KEY UPDATE OF o
             )
             UPDATE operation o
                SET state = 'parked', due_at = NULL, reason_code = 'sent_to_other_books', reason_since = now()
               FROM sent
              WHERE o.id = sent.id AND o.due_at IS NOT NULL",
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?
        .rows_affected();
        let detail = json!({ "epoch": epoch, "parked": parked, "reason": reason });
        operator
            .record_for_all(&mut transaction, Action::ConfirmBooks, detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        self.notifier.notify_work();
        Ok(NewEpoch { epoch, parked })
    }

    /// Records that a number still belongs to a lane's client or loan, although Fineract shows another external id for
    /// the number. Operations of the lane that were parked for this reason continue. Returns how many operations
    /// continue, or `None` if there is no such lane.
    pub async fn confirm_number(
        &self,
        confirmed: &NumberConfirmation,
        operator: &Operator,
    ) -> Result<Option<u64>, ActionError> {
        const ACTION: &str = "confirm a number";
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let known = sqlx::query!(
            "INSERT INTO confirmed_number (lane, number, external_id, epoch, operator, reason)
             SELECT key, $2, $3, (SELECT epoch FROM books), $4, $5 FROM lane WHERE key = $1
                 ON CONFLICT (lane, number, external_id, epoch)
                 DO UPDATE SET operator = excluded.operator, reason = excluded.reason, confirmed_at = now()",
            confirmed.lane,
            confirmed.number,
            confirmed.external_id,
            operator.name,
            confirmed.reason,
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        if known.rows_affected() == 0 {
            return Ok(None);
        }
        // The `reason_code` stays. Without a reason code, the worker would believe that an operator has retried the
        // operation. After such a retry, the worker may send the key of a command that may wait for a checker.
        let continued = sqlx::query!(
            "UPDATE operation
                SET state = 'ready', due_at = now(), reason_since = now()
              WHERE (lane = $1 OR read_lane = $1) AND state = 'parked' AND reason_code = 'number_means_another'",
            confirmed.lane
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?
        .rows_affected();
        let detail = json!({ "lane": confirmed.lane, "number": confirmed.number, "reason": confirmed.reason });
        operator
            .record_for_all(&mut transaction, Action::ConfirmNumber, detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        self.notifier.notify_work();
        Ok(Some(continued))
    }
}
