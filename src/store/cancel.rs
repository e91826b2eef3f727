//! Ending operations for which nothing was ever sent: after an operator's cancel, a batch's cancel, or expiry.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    LaneEntries, Pool, Store, StoreError,
    complete::{self, Ended},
    count_end,
    lane_release::{LaneReleases, ReleaseEffects},
    locks::{self, Locked},
};
use crate::domain::{End, OperationId, OperationType, State};

/// Whether the failure of an operation of this type, if nothing was sent for it, fails its dependents.
pub type FailsDependents = fn(OperationType) -> bool;

/// The code of an operation that had no effect by its `expires_at`.
pub const EXPIRED: &str = "expired";
/// The message of an operation that expired before anything was sent.
pub const EXPIRED_UNSENT: &str = "Not sent: expires_at had passed when its turn came";

/// Why an operation ends without having been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// An operator, who has inspected it, cancelled it.
    Cancelled,
    /// The client of its batch cancelled it.
    BatchCancelled,
    /// Its `expires_at` has passed.
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

/// An operation that is to end without having been sent: cancelled, expired, or a dependent of a failed one.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) id: OperationId,
    /// `None` if this gateway does not know the type, because a newer gateway accepted the operation.
    pub(super) operation_type: Option<OperationType>,
    pub(super) lane_entries: LaneEntries,
}

impl Unsent {
    /// Makes it from the columns of its row: the lane that it writes with the position there, and the same of the lane
    /// that it reads.
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

    /// Whether its end fails its dependents. A type that this gateway does not know does: whether the operations behind
    /// it depend on it cannot be determined, and an operation that was not sent can still be sent later, but one that
    /// was sent cannot be taken back.
    pub(super) fn fails_dependents(&self, fails_dependents: FailsDependents) -> bool {
        self.operation_type.is_none_or(fails_dependents)
    }
}

/// Ends those of the candidates for which nothing was sent. The caller has locked their lanes. Returns which ended, and
/// the effects of their lane release. A worker that is still reading Fineract for one of them finds its claim lost when
/// it tries to commit the attempt.
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
        .map(|(unsent, end)| (unsent.id, &unsent.lane_entries, end))
        .collect();
    let releases = match reason {
        Reason::Cancelled | Reason::BatchCancelled => LaneReleases::of_known_failures(),
        Reason::Expired => LaneReleases::default(),
    };
    let effects = complete::end(connection, &ended, releases).await?;
    Ok((unsent, effects))
}

/// Ends the operations, and returns for each that ended whether it may have been sent in a time that a restored
/// database has forgotten.
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
    // This must be a statement of its own, because the statement that takes the lock still sees the attempts as they
    // were before. For expiry, an attempt that never reached Fineract does not count; for a cancel it does.
    let ended = sqlx::query!(
        "UPDATE operation o
            SET state = 'failed', due_at = NULL, reason_code = NULL, reason_since = NULL, resolution = NULL,
                ended_at = now()
          WHERE o.id = ANY ($1)
            -- An operator may have given it another deadline meanwhile.
            AND (NOT $2 OR o.expires_at <= now())
            -- It may have been sent: only an operator, who can look in Fineract, ends it unread.
            AND (NOT o.read_first OR $3)
            AND NOT EXISTS (SELECT FROM attempt a
                             WHERE a.operation_id = o.id
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

/// The candidates that are not locked.
pub(super) fn without(mut candidates: Vec<Unsent>, locked: &Locked) -> Vec<Unsent> {
    candidates.retain(|unsent| {
        let lanes = unsent.lane_entries.lanes();
        !locked.concerns(unsent.id.0, lanes.iter().map(String::as_str))
    });
    candidates
}

/// Finds out which of the candidates are locked.
pub(super) async fn find_locked(pool: &Pool, candidates: &[Unsent]) -> Result<Locked, StoreError> {
    let lanes: Vec<String> = candidates
        .iter()
        .flat_map(|unsent| unsent.lane_entries.lanes())
        .collect();
    let ids: Vec<Uuid> = candidates.iter().map(|unsent| unsent.id.0).collect();
    locks::find(pool, &lanes, &ids).await
}

impl Store {
    /// Notifies those who wait, and counts the ends; call it after the commit.
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
