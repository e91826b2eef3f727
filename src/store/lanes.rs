//! Lane entries, the locks of lanes, and admission. Each lane entry stores whether its operation is admitted. The
//! gateway updates this when an earlier operation of the lane ends, so a claim never has to search a lane.

use sqlx::PgConnection;

/// An operation's entries in its lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneEntries {
    /// The lane that the operation writes.
    pub lane: String,
    /// The position in `lane`.
    pub position: i64,
    /// The lane that the operation reads, if any, and the position in this lane.
    pub read: Option<(String, i64)>,
}

impl LaneEntries {
    /// The keys of the lanes.
    pub(super) fn lanes(&self) -> Vec<String> {
        let read = self.read.as_ref().map(|(lane, _)| lane.clone());
        std::iter::once(self.lane.clone()).chain(read).collect()
    }
}

/// How long a failure that no caller has read also fails operations that are accepted after the failure.
///
/// A caller that sends all steps of a loan at once cannot know of the failure. A caller that has read the failure, or
/// that sends further steps a minute later, can know of it.
pub(super) const WINDOW_SECONDS: f64 = 60.0;

/// Locks lanes in the order of their keys.
pub(super) async fn lock(
    connection: &mut PgConnection,
    keys: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT key FROM lane WHERE key = ANY ($1) ORDER BY key FOR NO KEY UPDATE",
        keys
    )
    .fetch_all(connection)
    .await
    .map(drop)
}

/// Admits the operations that are now first in these lanes. The lanes must be locked already. Returns whether an
/// operation has become ready.
pub(super) async fn admit(
    connection: &mut PgConnection,
    keys: &[String],
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT admit_lanes($1) AS "has_ready!""#, keys)
        .fetch_one(connection)
        .await
}
