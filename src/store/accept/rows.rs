//! The columns of new operations, and the statements that insert them.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{NewOperation, caller_keys::CallerKeys};
use crate::store::{CompletionNotifier, hold_all, lanes::WINDOW_SECONDS};

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
}

impl AcceptEffects {
    /// What an acceptance may have caused whose answer is lost.
    pub(super) const UNKNOWN: Self = Self {
        has_ready: true,
        has_dependents: true,
    };

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
    lock_timeout: Option<&str>,
) -> Result<Vec<Inserted>, sqlx::Error> {
    let columns = Columns::of(new);
    sqlx::query_as!(
        Inserted,
        r#"SELECT id AS "id!", is_ready AS "is_ready!", fails_dependents AS "fails_dependents!"
             FROM accept_operations($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"#,
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
        lock_timeout,
        hold_all::LOCK,
        WINDOW_SECONDS,
    )
    .fetch_all(executor)
    .await
}

/// Inserts operations within a transaction, without callers' keys.
pub(in crate::store) async fn insert_operations(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<AcceptEffects, sqlx::Error> {
    let inserted = insert(&mut *connection, new, &CallerKeys::default(), None).await?;
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
