//! Ends operations: writes their results and releases their lanes, in one statement.

use sqlx::PgConnection;
use uuid::Uuid;

use super::lanes::{LaneEntries, WINDOW_SECONDS};
use crate::domain::{End, OperationId, ResourceId};

/// An operation that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended<'a> {
    pub(super) id: OperationId,
    pub(super) lane_entries: &'a LaneEntries,
    pub(super) end: &'a End,
    /// The failed operation on which it depended, if it therefore was not sent.
    pub(super) failed_with: Option<OperationId>,
}

/// What a transaction that ended operations has caused.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReleaseEffects {
    /// An operation has become ready.
    pub(super) has_ready: bool,
    /// A lane has dependents of a failed operation, which are still to be ended.
    pub(super) fails_dependents: bool,
    /// Fineract has assigned a number that another lane has already.
    pub(super) has_number_conflict: bool,
}

/// Writes the results of ended operations, releases their lanes, and admits the operations that are first now. The lanes
/// must be locked already. `is_known`: the callers of later operations know of these failures, because one of them
/// cancelled the operations, so later operations do not depend on them.
pub(super) async fn end_operations(
    connection: &mut PgConnection,
    ended: &[Ended<'_>],
    is_known: bool,
) -> Result<ReleaseEffects, sqlx::Error> {
    let columns = EndColumns::of(ended.iter().map(|row| (row.lane_entries, Some(row.end))));
    let failed_with: Vec<Option<Uuid>> = ended
        .iter()
        .map(|row| row.failed_with.map(|id| id.0))
        .collect();
    let marked: Vec<bool> = columns
        .fail_dependents
        .iter()
        .zip(&failed_with)
        .map(|(fails_dependents, failed_with)| *fails_dependents || failed_with.is_some())
        .collect();
    sqlx::query_as!(
        ReleaseEffects,
        r#"SELECT has_ready AS "has_ready!", has_dependents AS "fails_dependents!",
                  has_number_conflict AS "has_number_conflict!"
             FROM end_operations($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, NULL, $16, $17)"#,
        &ended.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        &columns.lanes,
        &columns.positions,
        &columns.read_lanes as &[Option<String>],
        &columns.read_positions as &[Option<i64>],
        &columns.learned,
        &columns.resource_ids as &[Option<i64>],
        &columns.resource_names as &[Option<String>],
        &columns.fail_dependents,
        &columns.successes as &[Option<String>],
        &columns.failures as &[Option<String>],
        &columns.codes as &[Option<String>],
        &columns.messages as &[Option<String>],
        &marked,
        &failed_with as &[Option<Uuid>],
        is_known,
        WINDOW_SECONDS,
    )
    .fetch_one(connection)
    .await
}

/// What ends write, as columns: lanes, numbers and results.
#[derive(Debug, Default)]
pub(super) struct EndColumns {
    pub(super) lanes: Vec<String>,
    pub(super) positions: Vec<i64>,
    pub(super) read_lanes: Vec<Option<String>>,
    pub(super) read_positions: Vec<Option<i64>>,
    /// Whether the end shows the number of the lane's client or loan, or that it is gone.
    pub(super) learned: Vec<bool>,
    pub(super) resource_ids: Vec<Option<i64>>,
    pub(super) resource_names: Vec<Option<String>>,
    pub(super) fail_dependents: Vec<bool>,
    pub(super) successes: Vec<Option<String>>,
    pub(super) failures: Vec<Option<String>>,
    pub(super) codes: Vec<Option<String>>,
    pub(super) messages: Vec<Option<String>>,
}

impl EndColumns {
    /// The columns of operations and their ends; `None` for an operation that does not end.
    pub(super) fn of<'a>(rows: impl Iterator<Item = (&'a LaneEntries, Option<&'a End>)>) -> Self {
        let mut columns = Self::default();
        for (lane_entries, end) in rows {
            columns.push(lane_entries, end);
        }
        columns
    }

    fn push(&mut self, lane_entries: &LaneEntries, end: Option<&End>) {
        let (read_lane, read_position) = lane_entries.read.clone().unzip();
        self.lanes.push(lane_entries.lane.clone());
        self.positions.push(lane_entries.position);
        self.read_lanes.push(read_lane);
        self.read_positions.push(read_position);
        let (mut resource_id, mut success, mut failure) = (&ResourceId::Unchanged, None, None);
        let (mut fails, mut code, mut message) = (false, None, None);
        match end {
            None => {}
            Some(End::Succeeded {
                body,
                resource_id: learned,
            }) => {
                success = Some(body.clone());
                resource_id = learned;
            }
            Some(End::Failed {
                body,
                message: sentence,
                code: reason,
                fails_dependents,
            }) => {
                failure.clone_from(body);
                message = Some(sentence.clone());
                // The code may be Fineract's own, and Postgres stores no NUL.
                code = Some(reason.replace('\0', "\u{fffd}"));
                fails = *fails_dependents;
            }
        }
        #[cfg(feature = "sabotage")]
        let fails = fails && !crate::sabotage::is(crate::sabotage::Sabotage::CascadeOff);
        self.learned.push(*resource_id != ResourceId::Unchanged);
        self.resource_ids.push(resource_id.known());
        self.resource_names
            .push(resource_id.external_id().map(str::to_owned));
        self.fail_dependents.push(fails);
        self.successes.push(success);
        self.failures.push(failure);
        self.codes.push(code);
        self.messages.push(message);
    }
}
