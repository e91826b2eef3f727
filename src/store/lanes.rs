//! Lanes and readiness: kept on the rows when something ends, never searched for.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{accept::WINDOW_SECONDS, claimed::LaneEntries, results::Results};
use crate::domain::ResourceId;

/// What leaves a lane when operations end.
#[derive(Debug, Default)]
struct Leaving {
    members: i32,
    writers: i32,
    resource_id: ResourceId,
    /// Where the operations stood whose failure fails their dependents, and which they are.
    failed: BTreeMap<i64, Uuid>,
}

/// The changes of a transaction that ends operations, gathered lane by lane.
#[derive(Debug, Default)]
pub(super) struct LaneReleases {
    lanes: BTreeMap<String, Leaving>,
    lane_entries: Vec<(String, i64)>,
    /// Whether whoever sends the next ones knows of these failures.
    known: bool,
}

impl LaneReleases {
    /// Changes by somebody who cancels, and so knows of it: what comes next does not fail with it.
    pub(super) fn known() -> Self {
        Self {
            known: true,
            ..Self::default()
        }
    }

    /// Takes an ended operation out of its lanes.
    pub(super) fn leave(&mut self, lane_entries: &LaneEntries) {
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

    /// Notes what is known of the numeric id of the lane's client or loan.
    pub(super) fn learn(&mut self, lane: &str, resource_id: &ResourceId) {
        if *resource_id != ResourceId::Unchanged {
            self.lanes.entry(lane.to_owned()).or_default().resource_id = resource_id.clone();
        }
    }

    /// Notes that those behind an operation in the lane that it writes fail with it.
    pub(super) fn fell(&mut self, lane_entries: &LaneEntries, failed_by: Uuid) {
        let lane = self.lanes.entry(lane_entries.lane.clone()).or_default();
        lane.failed.insert(lane_entries.position, failed_by);
    }

    /// Writes it all with the results, on lanes that are locked, and grants what has become first.
    pub(super) async fn write(
        self,
        results: &Results,
        connection: &mut PgConnection,
    ) -> Result<Departed, sqlx::Error> {
        let left = self.leave_lanes(results, connection).await?;
        note_failures(&self.lanes, connection).await?;
        let fails_dependents = left.iter().any(|lane| lane.failing_dependents);
        let shares_numbers = left.iter().any(|lane| lane.shares_its_number);
        let used: Vec<String> = left
            .into_iter()
            .filter(|lane| lane.is_used)
            .map(|lane| lane.key)
            .collect();
        Ok(Departed {
            work: !used.is_empty() && admit(connection, &used).await?,
            fails_dependents,
            shares_numbers,
        })
    }

    /// Takes the operations out of their lanes, and writes their results.
    #[expect(
        clippy::too_many_lines,
        reason = "one statement: each more is a round trip on every completion"
    )]
    async fn leave_lanes(
        &self,
        results: &Results,
        connection: &mut PgConnection,
    ) -> Result<Vec<Left>, sqlx::Error> {
        let (lanes, positions): (Vec<_>, Vec<_>) = self.lane_entries.iter().cloned().unzip();
        let keys: Vec<String> = self.lanes.keys().cloned().collect();
        let leaving: Vec<&Leaving> = self.lanes.values().collect();
        let furthest = |lane: &Leaving| lane.failed.last_key_value().map(|(at, by)| (*at, *by));
        sqlx::query_as!(
            Left,
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
            &leaving.iter().map(|lane| lane.members).collect::<Vec<_>>(),
            &leaving.iter().map(|lane| lane.writers).collect::<Vec<_>>(),
            &leaving.iter().map(|lane| lane.resource_id != ResourceId::Unchanged).collect::<Vec<_>>(),
            &leaving.iter().map(|lane| lane.resource_id.known()).collect::<Vec<_>>() as &[Option<i64>],
            &leaving.iter().map(|lane| furthest(lane).map(|(_, id)| id)).collect::<Vec<_>>() as &[Option<Uuid>],
            &leaving.iter().map(|lane| furthest(lane).map(|(position, _)| position)).collect::<Vec<_>>() as &[Option<i64>],
            &lanes,
            &positions,
            &results.ids,
            &results.successes as &[Option<String>],
            &results.failures as &[Option<String>],
            &results.codes as &[Option<String>],
            &results.messages as &[Option<String>],
            &results.marked,
            self.known,
            WINDOW_SECONDS,
            &results.failed_with as &[Option<Uuid>],
            &leaving.iter().map(|lane| lane.resource_id.external_id().map(str::to_owned)).collect::<Vec<_>>()
                as &[Option<String>],
        )
        .fetch_all(connection)
        .await
    }
}

/// What is left of a lane.
struct Left {
    key: String,
    failing_dependents: bool,
    is_used: bool,
    shares_its_number: bool,
}

/// Notes the failures whose dependents are there, each by itself: a create between two of them parts them.
async fn note_failures(
    lanes: &BTreeMap<String, Leaving>,
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let (mut keys, mut positions, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (key, leaving) in lanes {
        for (position, failed_by) in &leaving.failed {
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

/// What a transaction that ended operations has set going.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Departed {
    /// Something has become ready.
    pub(super) work: bool,
    /// A lane is falling.
    pub(super) fails_dependents: bool,
    /// A lane has learned a number that another has.
    pub(super) shares_numbers: bool,
}

/// Locks lanes, in the order of their keys.
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

/// Grants what has become first in these lanes, which are locked; whether any operation became ready.
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
             -- The readers before the first writer …
             SELECT o.key, r.position
               FROM open o
              CROSS JOIN LATERAL (
                    SELECT p.position FROM lane_entry p
                     WHERE p.lane = o.key AND NOT p.writes AND NOT p.admitted
                       AND p.position < COALESCE(o.writer, 9223372036854775807)
                     ORDER BY p.position) r
              UNION ALL
             -- … or that writer, when nothing stands before it.
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
