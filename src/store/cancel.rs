//! Ending what was never sent: the one way to it, for an operator's cancel and for a batch's.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    End, Fells, Places, Store, count_end,
    lanes::Departed,
    settle::{self, Ended},
};
use crate::domain::{OperationId, OperationType, State};

/// Why a cancelled operation failed.
const CODE: &str = "cancelled";
/// The same for its caller.
const MESSAGE: &str = "Cancelled before it was sent";

/// An operation that is to end without having been sent: cancelled, or fallen.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) id: OperationId,
    /// `None`: one that this gateway does not know, accepted by a newer one.
    pub(super) operation_type: Option<OperationType>,
    pub(super) places: Places,
}

impl Unsent {
    /// Whether those behind it fall with it when it ends. Of a type that this gateway does not know they do: whether they rest on
    /// it cannot be told, and what was not sent can be sent again by whoever wants it, but what was sent cannot be taken back.
    pub(super) fn fells(&self, fells: Fells) -> bool {
        self.operation_type.is_none_or(fells)
    }
}

/// Ends those that nothing was sent for, in lanes that are locked: which they are, and what that has set
/// going. A worker that still reads for one of them finds its claim gone when it would commit the attempt.
pub(super) async fn end_unsent(
    connection: &mut PgConnection,
    candidates: Vec<Unsent>,
    fells: Fells,
) -> Result<(Vec<Unsent>, Departed), sqlx::Error> {
    let ids: Vec<Uuid> = candidates.iter().map(|unsent| unsent.id.0).collect();
    let cancelled = update_unsent(connection, &ids).await?;
    let cancelled: Vec<Unsent> = candidates
        .into_iter()
        .filter(|unsent| cancelled.contains(&unsent.id.0))
        .collect();
    if cancelled.is_empty() {
        return Ok((cancelled, Departed::default()));
    }
    let ends: Vec<End> = cancelled
        .iter()
        .map(|unsent| End::Failed {
            body: None,
            message: MESSAGE.to_owned(),
            code: CODE.to_owned(),
            fells: unsent.fells(fells),
        })
        .collect();
    let ended: Vec<Ended<'_>> = cancelled
        .iter()
        .zip(&ends)
        .map(|(unsent, end)| (unsent.id, &unsent.places, end))
        .collect();
    let departed = settle::end(connection, &ended).await?;
    Ok((cancelled, departed))
}

async fn update_unsent(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<HashSet<Uuid>, sqlx::Error> {
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
    let cancelled = sqlx::query_scalar!(
        "UPDATE operation o
            SET state = 'failed', due_at = NULL, why = NULL, why_since = NULL, resolution = NULL,
                ended_at = now()
          WHERE o.id = ANY ($1)
            AND NOT EXISTS (SELECT FROM attempt a WHERE a.operation_id = o.id)
      RETURNING o.id",
        &locked
    )
    .fetch_all(connection)
    .await?;
    Ok(cancelled.into_iter().collect())
}

impl Store {
    /// Says, after the commit, what was cancelled and what that has set going.
    pub(super) fn announce_cancelled(&self, cancelled: &[Unsent], departed: Departed) {
        for unsent in cancelled {
            count_end(unsent.operation_type, State::Failed);
        }
        self.ends
            .announce_ended(cancelled.iter().map(|unsent| unsent.id));
        if departed.work {
            self.ends.announce_work();
        }
        if departed.falls {
            self.ends.announce_fall();
        }
    }
}
