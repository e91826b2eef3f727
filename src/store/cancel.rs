//! Ending what was never sent: the one way to it, for an operator's cancel, a batch's, and a deadline.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    FailsDependents, LaneEntries, Pool, Store, StoreError,
    complete::{self, Ended},
    count_end,
    lanes::{Departed, LaneReleases},
    locks::{self, Locked},
};
use crate::domain::{End, OperationId, OperationType, State};

/// The code of an operation whose `expires_at` had passed before it took effect.
pub const EXPIRED: &str = "expired";
/// What its caller is told where nothing of it was ever sent.
pub const EXPIRED_UNSENT: &str = "Not sent: expires_at had passed when its turn came";

/// Why an operation ends that was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// An operator cancelled it, who has looked at it.
    Cancelled,
    /// A caller cancelled its batch.
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

/// An operation that is to end without having been sent: cancelled, or fallen.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) id: OperationId,
    /// `None`: one that this gateway does not know, accepted by a newer one.
    pub(super) operation_type: Option<OperationType>,
    pub(super) lane_entries: LaneEntries,
}

impl Unsent {
    /// One as its row names it: its own lane and position there, and those of the lane that it reads.
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

    /// Whether those behind it fall with it when it ends. Of a type that this gateway does not know they do: whether they rest on
    /// it cannot be told, and what was not sent can be sent again by whoever wants it, but what was sent cannot be taken back.
    pub(super) fn fails_dependents(&self, fails_dependents: FailsDependents) -> bool {
        self.operation_type.is_none_or(fails_dependents)
    }
}

/// Ends those that nothing was sent for, in lanes that are locked: which they are, and what that has set
/// going. A worker that still reads for one of them finds its claim gone when it would commit the attempt.
pub(super) async fn end_unsent(
    connection: &mut PgConnection,
    candidates: Vec<Unsent>,
    reason: Reason,
    fails_dependents: FailsDependents,
) -> Result<(Vec<Unsent>, Departed), sqlx::Error> {
    let ids: Vec<Uuid> = candidates.iter().map(|unsent| unsent.id.0).collect();
    let ended = update_unsent(connection, &ids, reason).await?;
    let unsent: Vec<Unsent> = candidates
        .into_iter()
        .filter(|unsent| ended.contains_key(&unsent.id.0))
        .collect();
    if unsent.is_empty() {
        return Ok((unsent, Departed::default()));
    }
    let ends: Vec<End> = unsent
        .iter()
        .map(|unsent| End::Failed {
            body: None,
            message: reason.message().to_owned(),
            code: reason.code().to_owned(),
            // What is behind one that may have been done may have been done as well.
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
        Reason::Cancelled | Reason::BatchCancelled => LaneReleases::known(),
        Reason::Expired => LaneReleases::default(),
    };
    let departed = complete::end(connection, &ended, releases).await?;
    Ok((unsent, departed))
}

/// Ends them; each that ended, with whether it may have been sent in a time that a restored database has forgotten.
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
    // A statement of its own: that of the lock sees the attempts as they were before it was granted.
    // An attempt that never met Fineract is none for a deadline; whoever cancels is told of it.
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

/// Those that nobody has locked.
pub(super) fn without(mut candidates: Vec<Unsent>, locked: &Locked) -> Vec<Unsent> {
    candidates.retain(|unsent| {
        let lanes = unsent.lane_entries.lanes();
        !locked.concerns(unsent.id.0, lanes.iter().map(String::as_str))
    });
    candidates
}

/// Finds out which of these somebody has locked.
pub(super) async fn find_locked(pool: &Pool, candidates: &[Unsent]) -> Result<Locked, StoreError> {
    let lanes: Vec<String> = candidates
        .iter()
        .flat_map(|unsent| unsent.lane_entries.lanes())
        .collect();
    let ids: Vec<Uuid> = candidates.iter().map(|unsent| unsent.id.0).collect();
    locks::find(pool, &lanes, &ids).await
}

impl Store {
    /// Says, after the commit, what has ended unsent and what that has set going.
    pub(super) fn announce_unsent(&self, ended: &[Unsent], departed: Departed) {
        for unsent in ended {
            count_end(unsent.operation_type, State::Failed);
        }
        self.notifier
            .notify_ended(ended.iter().map(|unsent| unsent.id));
        if departed.work {
            self.notifier.notify_work();
        }
        if departed.fails_dependents {
            self.notifier.notify_dependency_failure();
        }
    }
}
