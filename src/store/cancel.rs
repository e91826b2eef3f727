//! Ends operations for which nothing was ever sent, because an operator or the client of a batch has cancelled them, or
//! because they have expired.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    LaneEntries, Pool, Store, StoreError, count_end,
    end::{Ended, ReleaseEffects, end_operations},
    locks::{self, Locked},
};
use crate::domain::{End, OperationId, OperationType, State};

/// Decides for an operation type: if an operation of this type fails without having been sent, do its dependents fail
/// too?
pub type FailsDependents = fn(OperationType) -> bool;

/// The code of an operation that had no effect by its `expires_at`.
pub const EXPIRED: &str = "expired";
/// The message of an operation that expired before any command was sent for it.
pub const EXPIRED_UNSENT: &str = "Not sent: expires_at had passed when its turn came";

/// Why an operation ends without having been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// An operator, who has inspected the operation, cancelled it.
    Cancelled,
    /// The client of the operation's batch cancelled it.
    BatchCancelled,
    /// The operation's `expires_at` has passed.
    Expired,
}

impl Reason {
    const fn code(self) -> &'static str {
        match self {
            Self::Cancelled | Self::BatchCancelled => "cancelled",
            Self::Expired => EXPIRED,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Cancelled | Self::BatchCancelled => "Cancelled before it was sent",
            Self::Expired => EXPIRED_UNSENT,
        }
    }
}

/// An operation that is to end without having been sent, because it is cancelled, expired, or a dependent of a failed
/// operation.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) id: OperationId,
    /// `None` if this gateway does not know the type, because a newer gateway accepted the operation.
    pub(super) operation_type: Option<OperationType>,
    pub(super) lane_entries: LaneEntries,
}

impl Unsent {
    /// Makes an `Unsent` from the columns of the operation's row. The first pair is the lane that the operation writes
    /// and the position in it. `read` is the lane that the operation reads and the position in it.
    pub(super) fn of(
        id: Uuid,
        type_name: &str,
        (lane, position): (String, i64),
        read: Option<(String, i64)>,
    ) -> Self {
        Self {
            id: OperationId(id),
            operation_type: OperationType::from_name(type_name),
            lane_entries: LaneEntries {
                lane,
                position,
                read,
            },
        }
    }

    /// Whether the end of this operation fails its dependents. The answer is yes if this gateway does not know the
    /// operation type. In this case the gateway cannot tell whether the operations behind this operation depend on it.
    /// Failing them is safer: an operation that was not sent can still be sent later, but an operation that was sent
    /// cannot be taken back.
    pub(super) fn fails_dependents(&self, fails_dependents: FailsDependents) -> bool {
        self.operation_type.is_none_or(fails_dependents)
    }

    /// The end of the operation. `failed_with`: the failed operation on which it depended.
    pub(super) fn ended<'a>(&'a self, end: &'a End, failed_with: Option<OperationId>) -> Ended<'a> {
        Ended {
            id: self.id,
            lane_entries: &self.lane_entries,
            end,
            failed_with,
        }
    }
}

/// Ends those candidates for which nothing was sent. The lanes of the candidates must be locked already. Returns the
/// operations that ended, and the effects of their lane release. A worker may still be reading Fineract for one of
/// these operations. This worker then cannot commit the attempt, because its claim is lost.
pub(super) async fn end_unsent(
    connection: &mut PgConnection,
    candidates: Vec<Unsent>,
    reason: Reason,
    fails_dependents: FailsDependents,
) -> Result<(Vec<Unsent>, ReleaseEffects), sqlx::Error> {
    let ids: Vec<Uuid> = candidates.iter().map(|unsent| unsent.id.0).collect();
    let ended = update_unsent(connection, &ids, reason).await?;
    let unsent: Vec<Unsent> = candidates
        .into_iter()
        .filter(|unsent| ended.contains_key(&unsent.id.0))
        .collect();
    if unsent.is_empty() {
        return Ok((unsent, ReleaseEffects::default()));
    }
    let ends: Vec<End> = unsent
        .iter()
        .map(|unsent| End::Failed {
            body: None,
            message: reason.message().to_owned(),
            code: reason.code().to_owned(),
            // An operation that may have been sent may have succeeded, so its dependents do not fail.
            fails_dependents: unsent.fails_dependents(fails_dependents)
                && ended.get(&unsent.id.0) != Some(&true),
        })
        .collect();
    let ended: Vec<Ended<'_>> = unsent
        .iter()
        .zip(&ends)
        .map(|(unsent, end)| unsent.ended(end, None))
        .collect();
    let is_known = match reason {
        Reason::Cancelled | Reason::BatchCancelled => true,
        Reason::Expired => false,
    };
    let effects = end_operations(connection, &ended, is_known).await?;
    Ok((unsent, effects))
}

/// Ends the operations. For each operation that ended, the result contains the flag `read_first`: whether the operation
/// may have been sent although the database, after a restore, does not show this.
async fn update_unsent(
    connection: &mut PgConnection,
    ids: &[Uuid],
    reason: Reason,
) -> Result<HashMap<Uuid, bool>, sqlx::Error> {
    let locked = sqlx::query_scalar!(
        "SELECT id FROM operation
          WHERE id = ANY ($1) AND ended_at IS NULL
          ORDER BY id
            FOR NO KEY UPDATE",
        ids
    )
    .fetch_all(&mut *connection)
    .await?;
    // This must be a second statement, because the statement that takes the lock still sees the attempts as they were
    // before the lock. An operation whose only attempts found no connection can expire, but cannot be cancelled.
    let ended = sqlx::query!(
        "UPDATE operation o
            SET state = 'failed', due_at = NULL, reason_code = NULL, reason_since = NULL, resolution = NULL,
                ended_at = now()
          WHERE o.id = ANY ($1)
            -- An operator may have changed expires_at in the meantime.
            AND (NOT $2 OR o.expires_at <= now())
            -- If read_first is set, the operation may have been sent. Then only an operator may end it in this way,
            -- because an operator can look in Fineract.
            AND (NOT o.read_first OR $3)
            AND NOT EXISTS (SELECT FROM attempt a
                             WHERE a.operation_id = o.id
                               AND a.error IS DISTINCT FROM 'not_sent'
                               AND NOT ($2 AND a.error IS NOT DISTINCT FROM 'not_connected'))
      RETURNING o.id, o.read_first",
        &locked,
        reason == Reason::Expired,
        reason == Reason::Cancelled
    )
    .fetch_all(connection)
    .await?;
    Ok(ended
        .into_iter()
        .map(|row| (row.id, row.read_first))
        .collect())
}

/// Removes the candidates that are locked, and returns the other candidates.
pub(super) fn without(mut candidates: Vec<Unsent>, locked: &Locked) -> Vec<Unsent> {
    candidates.retain(|unsent| {
        let lanes = unsent.lane_entries.lanes();
        !locked.concerns(unsent.id.0, lanes.iter().map(String::as_str))
    });
    candidates
}

/// Finds out which of the candidates' lanes and operations another session has locked.
pub(super) async fn find_locked(pool: &Pool, candidates: &[Unsent]) -> Result<Locked, StoreError> {
    let lanes: Vec<String> = candidates
        .iter()
        .flat_map(|unsent| unsent.lane_entries.lanes())
        .collect();
    let ids: Vec<Uuid> = candidates.iter().map(|unsent| unsent.id.0).collect();
    locks::find(pool, &lanes, &ids).await
}

impl Store {
    /// Notifies callers, workers and the cascade, and counts the ends. Call this method after the commit.
    pub(super) fn notify_unsent(&self, ended: &[Unsent], effects: ReleaseEffects) {
        for unsent in ended {
            count_end(unsent.operation_type, State::Failed);
        }
        self.notifier
            .notify_ended(ended.iter().map(|unsent| unsent.id));
        if effects.has_ready {
            self.notifier.notify_work();
        }
        if effects.fails_dependents {
            self.notifier.notify_dependency_failure();
        }
    }
}
