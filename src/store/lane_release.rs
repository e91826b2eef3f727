//! Lane releases: removes ended operations from their lanes and writes their results, in few statements.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    lanes::{self, LaneEntries, WINDOW_SECONDS},
    results::Results,
};
use crate::domain::ResourceId;

/// The changes in one lane because operations have ended.
#[derive(Debug, Default)]
struct LaneChange {
    members: i32,
    writers: i32,
    resource_id: ResourceId,
    /// The failed operations that fail their dependents, each with its position and its id.
    failed: BTreeMap<i64, Uuid>,
}

/// The lane releases of a transaction that ends operations, gathered by lane.
#[derive(Debug, Default)]
pub(super) struct LaneReleases {
    lanes: BTreeMap<String, LaneChange>,
    lane_entries: Vec<(String, i64)>,
    /// Whether the caller of later operations knows of these failures.
    is_known: bool,
}

impl LaneReleases {
    /// Makes an empty list of lane releases for a cancel. The person who cancels knows of the cancel, so operations
    /// that are accepted later do not depend on the cancelled operations.
    pub(super) fn of_known_failures() -> Self {
        Self {
            is_known: true,
            ..Self::default()
        }
    }

    /// Removes an ended operation's entries from its lanes.
    pub(super) fn remove_entries(&mut self, lane_entries: &LaneEntries) {
        let written = self.lanes.entry(lane_entries.lane.clone()).or_default();
        written.members += 1;
        written.writers += 1;
        self.lane_entries
            .push((lane_entries.lane.clone(), lane_entries.position));
        if let Some((lane, position)) = &lane_entries.read {
            self.lanes.entry(lane.clone()).or_default().members += 1;
            self.lane_entries.push((lane.clone(), *position));
        }
    }

    /// Records the number of the lane's client or loan.
    pub(super) fn learn(&mut self, lane: &str, resource_id: &ResourceId) {
        if *resource_id != ResourceId::Unchanged {
            self.lanes.entry(lane.to_owned()).or_default().resource_id = resource_id.clone();
        }
    }

    /// Records that an operation's failure fails its dependents in the lane that it writes.
    pub(super) fn add_failure(&mut self, lane_entries: &LaneEntries, failed_by: Uuid) {
        let lane = self.lanes.entry(lane_entries.lane.clone()).or_default();
        lane.failed.insert(lane_entries.position, failed_by);
    }

    /// Writes the releases and the results, and admits the operations that are now first in their lanes. The lanes must
    /// be locked already.
    pub(super) async fn write(
        self,
        results: &Results,
        connection: &mut PgConnection,
    ) -> Result<ReleaseEffects, sqlx::Error> {
        let released = self.release_lanes(results, connection).await?;
        insert_failures(&self.lanes, connection).await?;
        let fails_dependents = released.iter().any(|lane| lane.failing_dependents);
        let has_number_conflict = released.iter().any(|lane| lane.shares_its_number);
        let used: Vec<String> = released
            .into_iter()
            .filter(|lane| lane.is_used)
            .map(|lane| lane.key)
            .collect();
        Ok(ReleaseEffects {
            has_ready: !used.is_empty() && lanes::admit(connection, &used).await?,
            fails_dependents,
            has_number_conflict,
        })
    }

    /// Removes the lane entries, writes the results and updates the lanes.
    #[expect(
        clippy::too_many_lines,
        reason = "one statement: each further one would cost every completion a round trip"
    )]
    async fn release_lanes(
        &self,
        results: &Results,
        connection: &mut PgConnection,
    ) -> Result<Vec<ReleasedLane>, sqlx::Error> {
        let (lanes, positions): (Vec<_>, Vec<_>) = self.lane_entries.iter().cloned().unzip();
        let keys: Vec<String> = self.lanes.keys().cloned().collect();
        let changes: Vec<&LaneChange> = self.lanes.values().collect();
        let furthest = |lane: &LaneChange| lane.failed.last_key_value().map(|(at, by)| (*at, *by));
        sqlx::query_as!(
            ReleasedLane,
            r#"WITH gone AS (
                DELETE FROM lane_entry p
                 USING unnest($8::text[], $9::bigint[]) AS g (lane, position)
                 WHERE p.lane = g.lane AND p.position = g.position
             ), told AS (
                INSERT INTO result (operation_id, success, failure, code, message, marked, failed_with)
                SELECT *
                  FROM unnest($10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bool[],
                              $18::uuid[])
             ), shared AS (
                -- Fineract gives a number but once: its books are others, or were restored.
                INSERT INTO number_conflict (lane, other_lane, number)
                SELECT u.key, o.key, u.number
                  FROM unnest($1::text[], $5::bigint[]) AS u (key, number)
                  JOIN lane o ON split_part(o.key, ':', 1) = split_part(u.key, ':', 1)
                             AND o.resource_id = u.number AND o.key <> u.key
                             AND o.resource_epoch = (SELECT epoch FROM books)
                    ON CONFLICT DO NOTHING
             RETURNING lane
             )
             UPDATE lane l
                SET members = l.members - n.members,
                    writers = l.writers - n.writers,
                    resource_id = CASE WHEN n.learned THEN n.resource_id ELSE l.resource_id END,
                    resource_name = CASE WHEN n.learned THEN n.resource_name ELSE l.resource_name END,
                    resource_epoch = CASE WHEN n.learned THEN (SELECT epoch FROM books) ELSE l.resource_epoch END,
                    failed_by = CASE WHEN n.marks THEN n.failed_by ELSE l.failed_by END,
                    failed_at = CASE WHEN n.marks THEN now() ELSE l.failed_at END,
                    failed_position = CASE WHEN n.marks THEN n.position ELSE l.failed_position END,
                    failed_below = CASE WHEN n.marks THEN l.next_position ELSE l.failed_below END,
                    -- Where the one before it is unread, what comes next may depend on that as well.
                    failure_read = CASE WHEN n.marks THEN $16 AND NOT n.is_unread ELSE l.failure_read END,
                    failing_dependents = l.failing_dependents OR (n.failed_by IS NOT NULL AND l.members > n.members)
               FROM (SELECT u.*, is_unread,
                            u.failed_by IS NOT NULL
                            AND NOT (is_unread AND o.failed_position > u.position) AS marks
                       FROM unnest($1::text[], $2::int[], $3::int[], $4::bool[], $5::bigint[], $6::uuid[], $7::bigint[],
                                   $19::text[])
                            AS u (key, members, writers, learned, resource_id, failed_by, position, resource_name)
                       JOIN lane o ON o.key = u.key
                      CROSS JOIN LATERAL (SELECT o.failed_by IS NOT NULL AND NOT o.failure_read
                                                 AND o.failed_at > now() - make_interval(secs => $17)) AS m (is_unread)) AS n
              WHERE l.key = n.key
          RETURNING l.key, l.failing_dependents, l.members > 0 AS "is_used!",
                    EXISTS (SELECT FROM shared s WHERE s.lane = l.key) AS "shares_its_number!""#,
            &keys,
            &changes.iter().map(|lane| lane.members).collect::<Vec<_>>(),
            &changes.iter().map(|lane| lane.writers).collect::<Vec<_>>(),
            &changes.iter().map(|lane| lane.resource_id != ResourceId::Unchanged).collect::<Vec<_>>(),
            &changes.iter().map(|lane| lane.resource_id.known()).collect::<Vec<_>>() as &[Option<i64>],
            &changes.iter().map(|lane| furthest(lane).map(|(_, id)| id)).collect::<Vec<_>>() as &[Option<Uuid>],
            &changes.iter().map(|lane| furthest(lane).map(|(position, _)| position)).collect::<Vec<_>>() as &[Option<i64>],
            &lanes,
            &positions,
            &results.ids,
            &results.successes as &[Option<String>],
            &results.failures as &[Option<String>],
            &results.codes as &[Option<String>],
            &results.messages as &[Option<String>],
            &results.marked,
            self.is_known,
            WINDOW_SECONDS,
            &results.failed_with as &[Option<Uuid>],
            &changes.iter().map(|lane| lane.resource_id.external_id().map(str::to_owned)).collect::<Vec<_>>()
                as &[Option<String>],
        )
        .fetch_all(connection)
        .await
    }
}

/// A lane after the release.
struct ReleasedLane {
    key: String,
    failing_dependents: bool,
    is_used: bool,
    shares_its_number: bool,
}

/// Inserts one row for each failure that has dependents. Two failures in one lane need two rows, because a create
/// between the two failures separates their dependents.
async fn insert_failures(
    lanes: &BTreeMap<String, LaneChange>,
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let (mut keys, mut positions, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (key, change) in lanes {
        for (position, failed_by) in &change.failed {
            keys.push(key.clone());
            positions.push(*position);
            failed.push(*failed_by);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO lane_failure (lane, position, below, failed_by)
         SELECT f.lane, f.position, l.next_position, f.failed_by
           FROM unnest($1::text[], $2::bigint[], $3::uuid[]) AS f (lane, position, failed_by)
           JOIN lane l ON l.key = f.lane AND l.members > 0",
        &keys,
        &positions,
        &failed,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The effects of a transaction that has ended operations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReleaseEffects {
    /// An operation has become ready.
    pub(super) has_ready: bool,
    /// A lane has dependents of a failure that are still to be ended.
    pub(super) fails_dependents: bool,
    /// Fineract has assigned a number that already belongs to another lane.
    pub(super) has_number_conflict: bool,
}
