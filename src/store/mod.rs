//! The only SQL: the queue in Postgres, and who waits for an operation's end.
//!
//! Lanes are locked before operations, each in the order of their keys, everywhere: that is why
//! nothing here can deadlock. No transaction is open while anything outside Postgres is waited for, and
//! no answer is waited for longer than `patience` allows.

mod accept;
mod attempt;
mod backlog;
mod batcher;
mod body_digest;
mod books;
mod bulk;
mod cancel;
mod cascade;
mod claim;
mod claimed;
#[cfg(feature = "lab")]
mod claims;
mod complete;
mod completing;
mod completion;
mod completion_notifier;
mod connect;
mod due;
mod examine;
mod expiry;
mod failures_read;
mod hold_all;
mod key_probe;
mod key_usage;
mod lanes;
mod locks;
mod names;
mod operators;
mod patience;
mod pool;
mod results;
mod track;
mod transaction;
#[cfg(feature = "sabotage")]
mod unfenced;
mod unwritten;

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

#[cfg(feature = "lab")]
pub use self::claims::{Claims, Cost};
pub use self::{
    accept::{Accepted, CallerKey, NewOperation},
    attempt::{SeenLoan, StartAttempt},
    body_digest::BodyDigest,
    books::KnownNumber,
    bulk::{
        Batch, BatchAccepted, BatchPage, Candidate, NewBatch, NewRow, Record, RecordFilter,
        RefusedRow, Retry, RowContent, RowFailure, RowStatus, Summary,
    },
    cancel::{EXPIRED, EXPIRED_UNSENT},
    claim::{ClaimLimits, KILLS_ITS_WORKER, SUSPECT_AFTER},
    claimed::{Claimed, LaneEntries},
    completion::Completion,
    completion_notifier::{CompletionNotifier, Waiter},
    connect::{DatabaseProblem, connect, migrate, require_migrated},
    hold_all::{
        CountOnHold, Covered, HoldAll, HoldFilter, OnHold, Released, hold_all, keep_on_hold,
    },
    key_probe::{KeyVerdict, NewKeyVerdict, Numbered},
    key_usage::{Block, BlockRequest},
    names::TrackingName,
    operators::{
        ActionError, BooksReport, Found, Inspected, ListCursor, NewEpoch, NumberConfirmation,
        NumberConflict, Operator, ParkedOperation, Retryable, Unfit,
    },
    patience::STATEMENT_TIMEOUT,
    pool::{Pool, UnfitSetting},
    track::Tracked,
    transaction::{MoneyMovement, Progress},
};
use crate::domain::{OperationId, OperationType, State};

use self::{backlog::Backlog, batcher::Batcher, due::Due, patience::Asking, unwritten::Unwritten};

/// What went wrong between the gateway and its database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A statement or a commit failed.
    #[error("the database failed to {action}")]
    Database {
        /// What was tried, as in "failed to claim operations".
        action: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// A row holds what this gateway does not understand.
    #[error("the database holds an unknown {what}")]
    Unknown {
        /// Which column.
        what: &'static str,
    },
    /// Somebody else has rows locked that this needs, and has had them for too long: nothing was written.
    #[error("the rows that this needs stay locked")]
    Locked,
    /// The task that writes has ended: the process is shutting down.
    #[error("the gateway is shutting down")]
    Closed,
    /// The batch that held this row failed, and why.
    #[error("the batch that held this row failed")]
    Batch(#[source] Arc<StoreError>),
}

/// Gives a database error its context in one word. Whoever should not wait for ever says [`Asking::or_fail_to`] instead.
fn failed_to(action: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { action, source }
}

impl StoreError {
    /// What each of so many rows gets whose batch failed with this.
    fn of_each<R>(self, rows: usize) -> Vec<Result<R, Self>> {
        let error = Arc::new(self);
        let failed = || Err(Self::Batch(Arc::clone(&error)));
        std::iter::repeat_with(failed).take(rows).collect()
    }

    /// What Postgres said, as its SQLSTATE.
    fn code(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Database { source, .. } => source.as_database_error()?.code(),
            Self::Unknown { .. } | Self::Locked | Self::Closed | Self::Batch(_) => None,
        }
    }

    /// Whether the row itself is at fault (SQLSTATE classes 22 and 23), so that others can do without it.
    fn is_data_error(&self) -> bool {
        self.code()
            .is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
    }

    /// Whether a lock was waited for in vain (`lock_not_available`).
    fn is_lock_timeout(&self) -> bool {
        self.code().as_deref() == Some("55P03")
    }

    /// Whether Postgres refused what it was given, maybe only a row of it: neither it nor the way to it is away, full, or
    /// about to end (SQLSTATE classes 08, 25, 40, 53, 57P and 58).
    fn may_be_of_one_row(&self) -> bool {
        const OF_ALL: [&str; 6] = ["08", "25", "40", "53", "57P", "58"];
        self.code()
            .is_some_and(|code| !OF_ALL.iter().any(|class| code.starts_with(class)))
    }
}

/// The queue. Cheap to clone: the parts are shared.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    accepting: Batcher<NewOperation, Result<accept::Tried, StoreError>>,
    accepting_alone: Arc<Semaphore>,
    starting: Batcher<StartAttempt, Result<bool, StoreError>>,
    completing: Batcher<Completion, completing::Tried>,
    completing_alone: Arc<Semaphore>,
    unwritten: Unwritten,
    noting_later: mpsc::Sender<Uuid>,
    tracking: Batcher<OperationId, Result<Option<Arc<track::Row>>, StoreError>>,
    notifier: CompletionNotifier,
    backlog: Arc<Backlog>,
    due: Arc<Due>,
    fails_dependents: FailsDependents,
}

/// Whether those behind an operation of this type fall with it when it fails unsent.
pub type FailsDependents = fn(OperationType) -> bool;

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// How long a statement that nobody waits for may be tried again before the next try.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// How many rows that were left out of their batches are tried at once, each on a connection of its own.
const ALONE: usize = 2;

impl Store {
    /// Starts the tasks that commit in groups, on a migrated database.
    pub fn start(
        pool: Pool,
        notifier: CompletionNotifier,
        tasks: &TaskTracker,
        fails_dependents: FailsDependents,
    ) -> Self {
        Self {
            accepting: accept::start(&pool, &notifier, tasks),
            accepting_alone: Arc::new(Semaphore::new(ALONE)),
            starting: attempt::start(&pool, tasks),
            completing: completing::start(&pool, &notifier, tasks),
            completing_alone: Arc::new(Semaphore::new(ALONE)),
            unwritten: Unwritten::default(),
            noting_later: failures_read::start(&pool, tasks),
            tracking: track::start(&pool, tasks),
            backlog: Arc::default(),
            due: Arc::default(),
            fails_dependents,
            pool,
            notifier,
        }
    }

    /// Who waits for ends, and for work.
    pub fn notifier(&self) -> &CompletionNotifier {
        &self.notifier
    }

    /// Whether the database answers and is migrated as far as this gateway needs.
    pub async fn check(&self) -> Result<(), StoreError> {
        connect::check(&self.pool).await
    }
}

/// Counts an end in the metrics, after its commit; of a type that this gateway does not know, as `unknown`.
pub(crate) fn count_end(operation_type: Option<OperationType>, state: State) {
    metrics::counter!(
        "gateway_operations_ended_total",
        "type" => operation_type.map_or("unknown", OperationType::as_str),
        "state" => state.as_str(),
    )
    .increment(1);
}
