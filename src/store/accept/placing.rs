//! Taking places in the lanes.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use super::NewOperation;

/// How long an operation that failed unread fells those accepted behind it.
///
/// Who sends all steps of a loan at once cannot know of the failure; who has read it, or comes a minute
/// later, does.
const WINDOW_SECONDS: f64 = 60.0;

/// Where a new operation stands.
pub(in crate::store) struct Placed {
    pub(in crate::store) position: i64,
    pub(in crate::store) read_position: Option<i64>,
    pub(in crate::store) ungranted: i16,
    pub(in crate::store) granted: bool,
    pub(in crate::store) read_granted: bool,
    pub(in crate::store) falls: bool,
}

/// What a batch adds to a lane, then what it finds there.
#[derive(Default)]
struct Tail {
    members: i32,
    writers: i32,
    position: i64,
    falling: bool,
}

impl Tail {
    /// Takes the next position; whether nothing in the lane is in its way.
    fn take(&mut self, writes: bool) -> (i64, bool) {
        let position = self.position;
        let granted = !self.falling
            && if writes {
                self.members == 0
            } else {
                self.writers == 0
            };
        self.position += 1;
        self.members += 1;
        self.writers += i32::from(writes);
        (position, granted)
    }
}

/// Takes positions in the lanes, which stay locked until the commit.
pub(in crate::store) async fn place_in_lanes(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<Vec<Placed>, sqlx::Error> {
    let mut tails = extend_lanes(connection, new).await?;
    Ok(new
        .iter()
        .map(|operation| {
            let lanes = &operation.checked.lanes;
            let tail = tails.entry(lanes.writes.as_str().to_owned()).or_default();
            let (position, granted) = tail.take(true);
            let mut falls = tail.falling;
            let read = lanes.reads.as_ref().map(|read| {
                let tail = tails.entry(read.as_str().to_owned()).or_default();
                falls |= tail.falling;
                tail.take(false)
            });
            let read_granted = read.is_none_or(|(_, granted)| granted);
            Placed {
                position,
                read_position: read.map(|(position, _)| position),
                ungranted: i16::from(!granted) + i16::from(!read_granted),
                granted,
                read_granted,
                falls,
            }
        })
        .collect())
}

/// Makes room at the tails of the lanes, in the order of their keys.
async fn extend_lanes(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<HashMap<String, Tail>, sqlx::Error> {
    let mut added: BTreeMap<&str, (i32, i32)> = BTreeMap::new();
    for operation in new {
        let lanes = &operation.checked.lanes;
        let written = added.entry(lanes.writes.as_str()).or_default();
        *written = (written.0 + 1, written.1 + 1);
        if let Some(read) = &lanes.reads {
            added.entry(read.as_str()).or_default().0 += 1;
        }
    }
    let keys: Vec<String> = added.keys().map(|&key| key.to_owned()).collect();
    let members: Vec<i32> = added.values().map(|(members, _)| *members).collect();
    let writers: Vec<i32> = added.values().map(|(_, writers)| *writers).collect();
    let tails = sqlx::query!(
        "INSERT INTO lane AS l (key, next_position, members, writers)
         SELECT n.key, 1 + n.members, n.members, n.writers
           FROM unnest($1::text[], $2::int[], $3::int[]) AS n (key, members, writers)
             ON CONFLICT (key) DO UPDATE
            SET next_position = l.next_position + excluded.members,
                members = l.members + excluded.members,
                writers = l.writers + excluded.writers,
                -- Whoever sent these cannot know of the failure yet: they fall with it.
                (failed_below, falling) = (
                    SELECT CASE WHEN fresh THEN l.next_position + excluded.members ELSE l.failed_below END,
                           fresh OR l.falling
                      FROM (SELECT l.failed_by IS NOT NULL AND NOT l.failure_read
                                   AND l.failed_at > now() - make_interval(secs => $4) AS fresh) mark)
         RETURNING key, next_position, members, writers, falling",
        &keys,
        &members,
        &writers,
        WINDOW_SECONDS
    )
    .fetch_all(connection)
    .await?
    .into_iter()
    .map(|row| {
        let (members, writers) = added.get(row.key.as_str()).copied().unwrap_or_default();
        let tail = Tail {
            members: row.members - members,
            writers: row.writers - writers,
            position: row.next_position - i64::from(members),
            falling: row.falling,
        };
        (row.key, tail)
    })
    .collect();
    Ok(tails)
}
