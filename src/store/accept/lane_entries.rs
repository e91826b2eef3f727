//! Adds lane entries at the tails of lanes.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use super::NewOperation;
use crate::store::{hold_all, lanes::WINDOW_SECONDS};

/// The lane entries of a new operation.
pub(in crate::store) struct Entered {
    pub(in crate::store) position: i64,
    pub(in crate::store) read_position: Option<i64>,
    pub(in crate::store) blocked_by: i16,
    pub(in crate::store) admitted: bool,
    pub(in crate::store) read_admitted: bool,
    pub(in crate::store) fails_dependents: bool,
}

/// The number of lane entries that a batch adds to one lane.
#[derive(Default)]
struct Added {
    members: i32,
    writers: i32,
    /// How many of the new entries come before the first create of the lane's client or loan; `None` if the batch adds
    /// no create to this lane.
    before_create: Option<i32>,
}

/// The tail of a lane while a batch is added.
#[derive(Default)]
struct Tail {
    members: i32,
    writers: i32,
    position: i64,
    failing_dependents: bool,
}

impl Tail {
    /// Assigns the next position to a new entry. Also returns whether the entry is admitted at once. A writer is
    /// admitted if the lane has no other entries, a reader if the lane has no writers. No entry is admitted while
    /// `failing_dependents` is set.
    fn take(&mut self, writes: bool) -> (i64, bool) {
        let position = self.position;
        let admitted = !self.failing_dependents
            && if writes {
                self.members == 0
            } else {
                self.writers == 0
            };
        self.position += 1;
        self.members += 1;
        self.writers += i32::from(writes);
        (position, admitted)
    }
}

/// Assigns positions in the lanes to new operations. The lanes stay locked until the commit.
pub(in crate::store) async fn enter_lanes(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<Vec<Entered>, sqlx::Error> {
    let mut tails = extend_lanes(connection, new).await?;
    Ok(new
        .iter()
        .map(|operation| {
            let lanes = &operation.checked.lanes;
            let tail = tails.entry(lanes.writes.as_str().to_owned()).or_default();
            let (position, admitted) = tail.take(true);
            let mut fails_dependents = tail.failing_dependents;
            let read = lanes.reads.as_ref().map(|read| {
                let tail = tails.entry(read.as_str().to_owned()).or_default();
                fails_dependents |= tail.failing_dependents;
                tail.take(false)
            });
            let read_admitted = read.is_none_or(|(_, admitted)| admitted);
            Entered {
                position,
                read_position: read.map(|(position, _)| position),
                blocked_by: i16::from(!admitted) + i16::from(!read_admitted),
                admitted,
                read_admitted,
                fails_dependents,
            }
        })
        .collect())
}

/// Reserves positions at the tails of the lanes, and locks the lanes in the order of their keys. It also takes a shared
/// lock, so that no hold-all can begin or end before the commit. The statement that inserts the operations then sees
/// the hold-all that is active at the commit.
async fn extend_lanes(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<HashMap<String, Tail>, sqlx::Error> {
    let mut added: BTreeMap<&str, Added> = BTreeMap::new();
    for operation in new {
        let lanes = &operation.checked.lanes;
        let written = added.entry(lanes.writes.as_str()).or_default();
        if operation.operation_type.is_create() {
            written.before_create.get_or_insert(written.members);
        }
        written.members += 1;
        written.writers += 1;
        if let Some(read) = &lanes.reads {
            added.entry(read.as_str()).or_default().members += 1;
        }
    }
    let keys: Vec<String> = added.keys().map(|&key| key.to_owned()).collect();
    let members: Vec<i32> = added.values().map(|added| added.members).collect();
    let writers: Vec<i32> = added.values().map(|added| added.writers).collect();
    let before_create: Vec<Option<i32>> = added.values().map(|added| added.before_create).collect();
    let tails = sqlx::query!(
        "WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared($6))
         INSERT INTO lane AS l (key, next_position, members, writers, failed_below, failure_read)
         -- The last two say how many of these a mark may cover, and whether a create ends it: a lane that
         -- is new has no mark, so they mean nothing there.
         SELECT n.key, 1 + n.members, n.members, n.writers,
                COALESCE(n.before_create, n.members), n.before_create IS NOT NULL
           FROM unnest($1::text[], $2::int[], $3::int[], $5::int[]) AS n (key, members, writers, before_create), alone
             ON CONFLICT (key) DO UPDATE
            SET next_position = l.next_position + excluded.members,
                members = l.members + excluded.members,
                writers = l.writers + excluded.writers,
                -- Whoever sent these cannot know of the failure yet: they fail with it. A create depends on
                -- nothing before it, and what comes behind it depends on the create.
                (failed_below, failing_dependents, failure_read) = (
                    SELECT CASE WHEN fresh THEN l.next_position + excluded.failed_below ELSE l.failed_below END,
                           (fresh AND excluded.failed_below > 0) OR l.failing_dependents,
                           l.failure_read OR excluded.failure_read
                      FROM (SELECT l.failed_by IS NOT NULL AND NOT l.failure_read
                                   AND l.failed_at > now() - make_interval(secs => $4) AS fresh) mark)
         RETURNING key, next_position, members, writers, failing_dependents",
        &keys,
        &members,
        &writers,
        WINDOW_SECONDS,
        &before_create as &[Option<i32>],
        hold_all::LOCK,
    )
    .fetch_all(&mut *connection)
    .await?;
    let failing_dependents = tails.iter().filter(|row| row.failing_dependents);
    let failing_dependents: Vec<String> = failing_dependents.map(|row| row.key.clone()).collect();
    if !failing_dependents.is_empty() {
        cover(connection, &failing_dependents).await?;
    }
    let tails = tails
        .into_iter()
        .map(|row| {
            let added = added.remove(row.key.as_str()).unwrap_or_default();
            let tail = Tail {
                members: row.members - added.members,
                writers: row.writers - added.writers,
                position: row.next_position - i64::from(added.members),
                failing_dependents: row.failing_dependents,
            };
            (row.key, tail)
        })
        .collect();
    Ok(tails)
}

/// Makes the operations that were just accepted dependents of the failures that mark these lanes. The column
/// `failed_below` of a lane limits how many positions this covers.
async fn cover(connection: &mut PgConnection, lanes: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO lane_failure (lane, position, below, failed_by)
         SELECT key, failed_position, failed_below, failed_by
           FROM lane
          WHERE key = ANY ($1) AND failed_below > failed_position
             ON CONFLICT (lane, position) DO UPDATE
            SET below = greatest(lane_failure.below, excluded.below)",
        lanes
    )
    .execute(connection)
    .await
    .map(drop)
}
