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
    let states = sqlx::query_scalar!(
        "WITH open AS MATERIALIZED (
             SELECT l.key,
                    (SELECT p.position FROM lane_entry p WHERE p.lane = l.key AND p.writes
                      ORDER BY p.position LIMIT 1) AS writer
               FROM lane l
              WHERE l.key = ANY ($1) AND l.members > 0 AND NOT l.failing_dependents
         ), first AS MATERIALIZED (
             -- The readers before the first writer.
             SELECT o.key, r.position
               FROM open o
              CROSS JOIN LATERAL (
                    SELECT p.position FROM lane_entry p
                     WHERE p.lane = o.key AND NOT p.writes AND NOT p.admitted
                       AND p.position < COALESCE(o.writer, 9223372036854775807)
                     ORDER BY p.position) r
              UNION ALL
             -- That writer, if there is no entry before it.
             SELECT o.key, h.position
               FROM open o
              CROSS JOIN LATERAL (
                    SELECT p.position, p.admitted FROM lane_entry p
                     WHERE p.lane = o.key
                     ORDER BY p.position LIMIT 1) h
              WHERE h.position = o.writer AND NOT h.admitted
         ), admitted AS (
             UPDATE lane_entry p
                SET admitted = true
               FROM first f
              WHERE p.lane = f.key AND p.position = f.position
          RETURNING p.operation_id
         ), locked AS MATERIALIZED (
             SELECT o.id, g.times
               FROM (SELECT operation_id, count(*)::smallint AS times FROM admitted GROUP BY 1) g
               JOIN operation o ON o.id = g.operation_id
              ORDER BY o.id
                FOR NO KEY UPDATE OF o
         )
         UPDATE operation o
            SET blocked_by = o.blocked_by - l.times,
                state = CASE WHEN o.blocked_by = l.times THEN 'ready' ELSE 'waiting' END,
                due_at = CASE WHEN o.blocked_by = l.times THEN now() END
           FROM locked l
          WHERE o.id = l.id
      RETURNING o.state",
        keys
    )
    .fetch_all(connection)
    .await?;
    Ok(states.iter().any(|state| state == "ready"))
}
