//! The columns of new operations, and the statements that insert them.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, types::Json};
use uuid::Uuid;

use super::{NewOperation, caller_keys::CallerKeys, offer::OfferColumns};
use crate::{
    domain::Referent,
    store::{
        Claimed, CompletionNotifier, LaneEntries, Pool, StoreError, connect, hold_all,
        lanes::WINDOW_SECONDS, patience::WithTimeout,
    },
};

/// What an acceptance causes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store) struct AcceptEffects {
    /// An operation is ready.
    pub(in crate::store) has_ready: bool,
    /// An operation depends on a failure that no caller has read, so it has to fail too.
    pub(in crate::store) has_dependents: bool,
}

/// An operation that was inserted.
pub(super) struct Inserted {
    pub(super) id: Uuid,
    is_ready: bool,
    fails_dependents: bool,
    /// A worker of this process has claimed it.
    pub(super) is_claimed: bool,
    pub(super) position: i64,
    pub(super) read_position: Option<i64>,
    /// The number of the client or loan of the written lane, if it is known in the epoch of the claim.
    pub(super) known_id: Option<i64>,
    /// The number of the client of the read lane, if it is known in the epoch of the claim.
    pub(super) read_known_id: Option<i64>,
}

impl Inserted {
    /// The claim of a new operation that a worker of this process has claimed. `claimed_at` is when the statement was
    /// sent.
    pub(super) fn claimed(&self, new: &NewOperation, epoch: i32, claimed_at: Instant) -> Claimed {
        let read = new.checked.lanes.reads.as_ref();
        Claimed {
            id: new.id,
            operation_type: new.operation_type,
            payload: new.payload.clone(),
            attempt: 1,
            key_number: 1,
            lost: 0,
            deaths: 0,
            reason_counts: true,
            lane_entries: LaneEntries {
                lane: new.checked.lanes.writes.as_str().to_owned(),
                position: self.position,
                read: read
                    .map(|lane| lane.as_str().to_owned())
                    .zip(self.read_position),
            },
            lender: new.checked.lender.clone(),
            reference: new.checked.reference.clone(),
            known_id: self.known_id,
            read_known_id: self.read_known_id,
            epoch,
            resolution: None,
            nothing_waits: false,
            reason_code: None,
            is_past_expiry: false,
            forgotten_for: None,
            reason_since: None,
            retrying_for: Duration::ZERO,
            age: Duration::ZERO,
            trace_parent: new.trace_parent,
            claimed_at,
        }
    }
}

impl AcceptEffects {
    pub(super) fn of(inserted: &[Inserted]) -> Self {
        Self {
            has_ready: inserted.iter().any(|row| row.is_ready),
            has_dependents: inserted.iter().any(|row| row.fails_dependents),
        }
    }

    /// Wakes those who act on the effects; call it after the commit.
    pub(in crate::store) fn notify(self, notifier: &CompletionNotifier) {
        if self.has_ready {
            notifier.notify_work();
        }
        if self.has_dependents {
            notifier.notify_dependency_failure();
        }
    }
}

/// The columns of new operations.
struct Columns {
    ids: Vec<Uuid>,
    types: Vec<String>,
    creates: Vec<bool>,
    lanes: Vec<String>,
    read_lanes: Vec<Option<String>>,
    lenders: Vec<Option<String>>,
    retries: Vec<Option<Uuid>>,
    expiries: Vec<Option<DateTime<Utc>>>,
    callers: Vec<String>,
    payloads: Vec<String>,
    references: Vec<Option<String>>,
    trace_parents: Vec<Option<String>>,
}

impl Columns {
    fn of(new: &[&NewOperation]) -> Self {
        fn column<T>(new: &[&NewOperation], value: impl Fn(&NewOperation) -> T) -> Vec<T> {
            new.iter().map(|operation| value(operation)).collect()
        }
        Self {
            ids: column(new, |n| n.id.0),
            types: column(new, |n| n.operation_type.as_str().to_owned()),
            creates: column(new, |n| n.operation_type.is_create()),
            lanes: column(new, |n| n.checked.lanes.writes.as_str().to_owned()),
            read_lanes: column(new, |n| {
                let read = n.checked.lanes.reads.as_ref()?;
                Some(read.as_str().to_owned())
            }),
            lenders: column(new, |n| n.checked.lender.clone()),
            retries: column(new, |n| n.retry_of.map(|id| id.0)),
            expiries: column(new, |n| n.expires_at),
            callers: column(new, |n| n.caller.clone()),
            payloads: column(new, |n| n.payload.get().to_owned()),
            references: column(new, |n| n.checked.reference.clone()),
            trace_parents: column(new, |n| n.trace_parent.map(|parent| parent.to_string())),
        }
    }
}

/// Inserts operations at the tails of their lanes, in this order. Returns those that were inserted: not those whose
/// caller has used the idempotency key before. The lanes stay locked until the commit, and until then nobody can put
/// everything on hold or end that hold.
pub(super) async fn insert(
    executor: impl PgExecutor<'_>,
    new: &[&NewOperation],
    keys: &CallerKeys,
    offers: &OfferColumns,
    lock_timeout: Option<&str>,
) -> Result<Vec<Inserted>, sqlx::Error> {
    let columns = Columns::of(new);
    sqlx::query_as!(
        Inserted,
        r#"SELECT id AS "id!", is_ready AS "is_ready!", fails_dependents AS "fails_dependents!",
                  is_claimed AS "is_claimed!", lane_position AS "position!", read_lane_position AS read_position,
                  known_id, read_known_id
             FROM accept_operations($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                                    $20, $21, $22, $23, $24, $25, $26, $27, $28)"#,
        &columns.ids,
        &columns.types,
        &columns.creates,
        &columns.lanes,
        &columns.read_lanes as &[Option<String>],
        &columns.lenders as &[Option<String>],
        &columns.retries as &[Option<Uuid>],
        &columns.expiries as &[Option<DateTime<Utc>>],
        &columns.callers,
        &columns.payloads,
        &columns.references as &[Option<String>],
        &keys.callers,
        &keys.keys,
        &keys.digests,
        &keys.value_digests as &[Option<Vec<u8>>],
        &keys.ids,
        &offers.claims,
        offers.lease_seconds,
        offers.epoch,
        &offers.usernames as &[Option<String>],
        &offers.methods as &[Option<String>],
        &offers.paths as &[Option<String>],
        &offers.bodies as &[Option<String>],
        &offers.referents as &[Option<Json<Vec<Referent>>>],
        lock_timeout,
        hold_all::LOCK,
        WINDOW_SECONDS,
        &columns.trace_parents as &[Option<String>],
    )
    .fetch_all(executor)
    .await
}

/// Finds the operations of a batch that were inserted by a statement whose answer is lost. The statement is never sent
/// again, because it may still be on its way to Postgres. So if nothing is found, it remains open whether the operations
/// will be accepted.
pub(super) async fn find_inserted(
    pool: &Pool,
    batch: &[NewOperation],
    offers: &OfferColumns,
) -> Result<Vec<Inserted>, StoreError> {
    const ACTION: &str = "look for accepted operations";
    let ids: Vec<Uuid> = batch.iter().map(|new| new.id.0).collect();
    let mut transaction = connect::begin_with_long_lock_wait(pool)
        .or_fail_to(ACTION)
        .await?;
    // An insert of the same id waits for the end of the transaction that has inserted it. It is rolled back.
    sqlx::query!(
        "INSERT INTO operation (id, type, state, lane, position, blocked_by)
         SELECT id, '', 'waiting', '', 0, 1 FROM unnest($1::uuid[]) AS n (id) ORDER BY id
             ON CONFLICT (id) DO NOTHING",
        &ids
    )
    .execute(&mut *transaction)
    .or_fail_to(ACTION)
    .await?;
    transaction.rollback().or_fail_to(ACTION).await?;
    sqlx::query_as!(
        Inserted,
        r#"SELECT o.id, o.state = 'ready' AS "is_ready!", true AS "fails_dependents!",
                  -- A claim of another worker, after the acceptance, has a later lease.
                  o.state = 'running' AND o.attempt = 1
                  AND o.due_at = o.accepted_at + make_interval(secs => $3) AS "is_claimed!",
                  o.position, o.read_position,
                  (SELECT resource_id FROM lane WHERE key = o.lane AND resource_epoch = $2) AS known_id,
                  (SELECT resource_id FROM lane WHERE key = o.read_lane AND resource_epoch = $2) AS read_known_id
             FROM operation o
            WHERE o.id = ANY ($1)"#,
        &ids,
        offers.epoch,
        offers.lease_seconds
    )
    .fetch_all(pool)
    .or_fail_to(ACTION)
    .await
}

/// Inserts operations within a transaction, without callers' keys.
pub(in crate::store) async fn insert_operations(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<AcceptEffects, sqlx::Error> {
    let inserted = insert(
        &mut *connection,
        new,
        &CallerKeys::default(),
        &OfferColumns::default(),
        None,
    )
    .await?;
    follow_retries(connection, new).await?;
    Ok(AcceptEffects::of(&inserted))
}

/// Makes the rows of batches refer to the operations that run their failed ones again, whether the client or an
/// operator requested that.
async fn follow_retries(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<(), sqlx::Error> {
    let retries: (Vec<Uuid>, Vec<Uuid>) = new
        .iter()
        .filter_map(|operation| Some((operation.id.0, operation.retry_of?.0)))
        .unzip();
    if retries.0.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE batch_row r
            SET operation_id = n.id
           FROM unnest($1::uuid[], $2::uuid[]) AS n (id, retry_of)
          WHERE r.operation_id = n.retry_of",
        &retries.0,
        &retries.1
    )
    .execute(connection)
    .await
    .map(drop)
}
