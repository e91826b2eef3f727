//! The transaction that accepts a batch: lanes first, then the operations.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Accepted, Ends, NewOperation, StoreError, connect, failed_to};
use crate::domain::{OperationId, OperationType, TrackingId};

/// How long an operation that failed unread fells those accepted behind it.
///
/// Who sends all steps of a loan at once cannot know of the failure; who has read it, or comes a minute
/// later, does.
const WINDOW_SECONDS: f64 = 60.0;

/// Accepts a batch, and says of each what became of it. A row that the database refuses fails alone.
pub(super) async fn accept(
    pool: &PgPool,
    ends: &Ends,
    batch: Vec<NewOperation>,
) -> Vec<Result<Accepted, StoreError>> {
    match accept_all(pool, ends, &batch).await {
        Ok(results) => results.into_iter().map(Ok).collect(),
        Err(error) if error.is_data_error() && batch.len() > 1 => {
            let mut first = batch;
            let second = first.split_off(first.len() / 2);
            let mut results = Box::pin(accept(pool, ends, first)).await;
            results.extend(Box::pin(accept(pool, ends, second)).await);
            results
        }
        Err(error) => {
            let error = std::sync::Arc::new(error);
            batch.iter().map(|_| Err(StoreError::Batch(std::sync::Arc::clone(&error)))).collect()
        }
    }
}

async fn accept_all(
    pool: &PgPool,
    ends: &Ends,
    batch: &[NewOperation],
) -> Result<Vec<Accepted>, StoreError> {
    const ACTION: &str = "accept operations";
    let mut transaction = pool.begin().await.map_err(failed_to(ACTION))?;
    let taken = insert_caller_keys(&mut transaction, batch).await.map_err(failed_to(ACTION))?;
    let new: Vec<&NewOperation> =
        batch.iter().filter(|operation| !taken.contains(&operation.id)).collect();
    let placed = place_in_lanes(&mut transaction, &new).await.map_err(failed_to(ACTION))?;
    let transaction_id =
        insert_operations(&mut transaction, &new, &placed).await.map_err(failed_to(ACTION))?;
    let replays = read_caller_keys(&mut transaction, batch, &taken).await?;
    if let Err(source) = transaction.commit().await {
        // Nobody knows whether it took place: Postgres does, once it answers again.
        let error = StoreError::Database { action: ACTION, source };
        match transaction_id {
            Some(id) if connect::has_committed(pool, &id).await? => {}
            Some(_) | None => return Err(error),
        }
    }
    if placed.iter().any(|place| place.ungranted == 0) {
        ends.announce_work();
    }
    if placed.iter().any(|place| place.falls) {
        ends.announce_fall();
    }
    Ok(batch
        .iter()
        .map(|operation| replays.get(&operation.id).copied().unwrap_or(Accepted::New))
        .collect())
}

/// Inserts the callers' keys, in their order, and gives back the operations whose key was taken.
async fn insert_caller_keys(
    connection: &mut PgConnection,
    batch: &[NewOperation],
) -> Result<HashSet<OperationId>, sqlx::Error> {
    let mut keyed: Vec<_> = batch
        .iter()
        .filter_map(|new| new.caller_key.as_ref().map(|key| (&new.caller, key, new.id)))
        .collect();
    if keyed.is_empty() {
        return Ok(HashSet::new());
    }
    keyed.sort_by(|a, b| (a.0, &a.1.key).cmp(&(b.0, &b.1.key)));
    let callers: Vec<String> = keyed.iter().map(|(caller, ..)| (*caller).clone()).collect();
    let keys: Vec<String> = keyed.iter().map(|(_, key, _)| key.key.clone()).collect();
    let digests: Vec<Vec<u8>> = keyed.iter().map(|(_, key, _)| key.digest.to_vec()).collect();
    let ids: Vec<Uuid> = keyed.iter().map(|(.., id)| id.0).collect();
    let inserted: HashSet<Uuid> = sqlx::query_scalar!(
        "INSERT INTO idempotency (caller, key, digest, operation_id)
         SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[])
         ON CONFLICT DO NOTHING
         RETURNING operation_id",
        &callers,
        &keys,
        &digests,
        &ids
    )
    .fetch_all(connection)
    .await?
    .into_iter()
    .collect();
    Ok(keyed
        .iter()
        .filter(|(.., id)| !inserted.contains(&id.0))
        .map(|(.., id)| *id)
        .collect())
}

/// Finds what the taken keys brought in before: in this batch, or earlier.
async fn read_caller_keys(
    connection: &mut PgConnection,
    batch: &[NewOperation],
    taken: &HashSet<OperationId>,
) -> Result<HashMap<OperationId, Accepted>, StoreError> {
    let mut replays = HashMap::new();
    for new in batch.iter().filter(|new| taken.contains(&new.id)) {
        let Some(key) = &new.caller_key else { continue };
        let first = sqlx::query!(
            "SELECT o.id, o.type, i.digest
               FROM idempotency i
               JOIN operation o ON o.id = i.operation_id
              WHERE i.caller = $1 AND i.key = $2",
            new.caller,
            key.key
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(failed_to("read a caller's key"))?;
        let operation_type =
            OperationType::from_name(&first.r#type).ok_or(StoreError::Unknown { what: "type" })?;
        let accepted = if first.digest == key.digest {
            Accepted::Replayed(TrackingId { operation_type, id: OperationId(first.id) })
        } else {
            Accepted::KeyReused
        };
        replays.insert(new.id, accepted);
    }
    Ok(replays)
}

/// Where a new operation stands.
struct Placed {
    position: i64,
    read_position: Option<i64>,
    ungranted: i16,
    granted: bool,
    read_granted: bool,
    falls: bool,
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
        let granted =
            !self.falling && if writes { self.members == 0 } else { self.writers == 0 };
        self.position += 1;
        self.members += 1;
        self.writers += i32::from(writes);
        (position, granted)
    }
}

/// Takes positions in the lanes, which stay locked until the commit.
async fn place_in_lanes(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<Vec<Placed>, sqlx::Error> {
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
    let mut tails: HashMap<String, Tail> = sqlx::query!(
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

/// Inserts the rows; gives back the transaction's id, by which its commit can be asked for.
async fn insert_operations(
    connection: &mut PgConnection,
    new: &[&NewOperation],
    placed: &[Placed],
) -> Result<Option<String>, sqlx::Error> {
    let lane = |operation: &&NewOperation| operation.checked.lanes.writes.as_str().to_owned();
    let read_lane = |operation: &&NewOperation| {
        operation.checked.lanes.reads.as_ref().map(|lane| lane.as_str().to_owned())
    };
    let ids: Vec<Uuid> = new.iter().map(|operation| operation.id.0).collect();
    let lanes: Vec<String> = new.iter().map(lane).collect();
    let read_lanes: Vec<Option<String>> = new.iter().map(read_lane).collect();
    let positions: Vec<i64> = placed.iter().map(|place| place.position).collect();
    let read_positions: Vec<Option<i64>> =
        placed.iter().map(|place| place.read_position).collect();
    let transaction_id = sqlx::query_scalar!(
        r#"INSERT INTO operation (id, type, state, lane, position, read_lane, read_position, ungranted, lender, due_at)
           SELECT n.id, n.type, CASE n.ungranted WHEN 0 THEN 'ready' ELSE 'waiting' END,
                  n.lane, n.position, n.read_lane, n.read_position, n.ungranted, n.lender,
                  CASE n.ungranted WHEN 0 THEN now() END
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::smallint[], $8::text[])
                  AS n (id, type, lane, position, read_lane, read_position, ungranted, lender)
        RETURNING pg_current_xact_id()::text AS "transaction_id!""#,
        &ids,
        &new.iter().map(|n| n.operation_type.as_str().to_owned()).collect::<Vec<_>>(),
        &lanes,
        &positions,
        &read_lanes as &[Option<String>],
        &read_positions as &[Option<i64>],
        &placed.iter().map(|place| place.ungranted).collect::<Vec<_>>(),
        &new.iter().map(|n| n.checked.lender.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .fetch_all(&mut *connection)
    .await?
    .pop();
    sqlx::query!(
        "INSERT INTO payload (operation_id, caller, data, reference, lane)
         SELECT n.id, n.caller, n.data::json, n.reference, n.lane
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
                AS n (id, caller, data, reference, lane)",
        &ids,
        &new.iter().map(|n| n.caller.clone()).collect::<Vec<_>>(),
        &new.iter().map(|n| n.payload.get().to_owned()).collect::<Vec<_>>(),
        &new.iter().map(|n| n.checked.reference.clone()).collect::<Vec<_>>() as &[Option<String>],
        &lanes,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO place (lane, position, operation_id, writes, granted)
         SELECT n.lane, n.position, n.id, true, n.granted
           FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bool[]) AS n (id, lane, position, granted)
          UNION ALL
         SELECT n.lane, n.position, n.id, false, n.granted
           FROM unnest($1::uuid[], $5::text[], $6::bigint[], $7::bool[]) AS n (id, lane, position, granted)
          WHERE n.lane IS NOT NULL",
        &ids,
        &lanes,
        &positions,
        &placed.iter().map(|place| place.granted).collect::<Vec<_>>(),
        &read_lanes as &[Option<String>],
        &read_positions as &[Option<i64>],
        &placed.iter().map(|place| place.read_granted).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(transaction_id)
}
