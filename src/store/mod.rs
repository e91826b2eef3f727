//! The only SQL: the queue in Postgres, and who waits for an operation's end.
//!
//! Lanes are locked before operations, each in the order of their keys, everywhere: that is why
//! nothing here can deadlock. No transaction is open while anything outside Postgres is waited for, and
//! no answer is waited for longer than `patience` allows.

mod accept;
mod attempt;
mod backlog;
mod batcher;
mod bulk;
mod cancel;
mod cascade;
mod claim;
mod claimed;
mod connect;
mod ends;
mod expiry;
mod failures_read;
mod key_usage;
mod lanes;
mod names;
mod operators;
mod oversight;
mod patience;
mod rehearsal;
mod results;
mod settle;
mod settlement;
mod track;
mod transaction;
#[cfg(feature = "sabotage")]
mod unfenced;

use std::{fmt, sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio_util::task::TaskTracker;

pub use self::{
    accept::{Accepted, CallerKey, NewOperation},
    attempt::{SeenLoan, StartAttempt},
    bulk::{
        Batch, BatchAccepted, BatchPage, Candidate, NewBatch, NewRow, Record, RecordFilter,
        RefusedRow, Retry, RowContent, RowFailure, RowStatus, Summary,
    },
    cancel::{EXPIRED, EXPIRED_UNSENT},
    claim::{ClaimLimits, KILLS_ITS_WORKER, SUSPECT_AFTER},
    claimed::{Claimed, Places},
    connect::{DatabaseProblem, connect, migrate, require_migrated},
    ends::{Ends, Waiter},
    key_usage::{Block, BlockRequest},
    operators::{
        ActionError, Found, Inspected, Operator, ParkedCursor, ParkedOperation, Retryable, Unfit,
    },
    oversight::{Held, Oversight, Standing},
    patience::STATEMENT_TIMEOUT,
    rehearsal::{Cost, Rehearsal},
    settlement::{End, Settlement, Verdict},
    track::Tracked,
    transaction::{MoneyMovement, Progress},
};
use crate::domain::{OperationId, OperationType, State};

use self::{backlog::Backlog, batcher::Batcher, patience::Asking};

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

    /// Whether the row itself is at fault (SQLSTATE classes 22 and 23), so that others can do without it.
    fn is_data_error(&self) -> bool {
        match self {
            Self::Database { source, .. } => source
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code)
                .is_some_and(|code| code.starts_with("22") || code.starts_with("23")),
            Self::Unknown { .. } | Self::Closed | Self::Batch(_) => false,
        }
    }
}

/// The queue. Cheap to clone: the parts are shared.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    accepting: Batcher<NewOperation, Result<Accepted, StoreError>>,
    starting: Batcher<StartAttempt, Result<bool, StoreError>>,
    settling: Batcher<Settlement, Result<bool, StoreError>>,
    tracking: Batcher<OperationId, Result<Option<Arc<track::Row>>, StoreError>>,
    ends: Ends,
    backlog: Arc<Backlog>,
    fells: Fells,
}

/// Whether those behind an operation of this type fall with it when it fails unsent.
pub type Fells = fn(OperationType) -> bool;

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// How long a statement that nobody waits for may be tried again before the next try.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

impl Store {
    /// Starts the tasks that commit in groups, on a migrated database.
    pub fn start(pool: PgPool, ends: Ends, tasks: &TaskTracker, fells: Fells) -> Self {
        Self {
            accepting: accept::start(&pool, &ends, tasks),
            starting: attempt::start(&pool, tasks),
            settling: settle::start(&pool, &ends, tasks),
            tracking: track::start(&pool, tasks),
            backlog: Arc::default(),
            fells,
            pool,
            ends,
        }
    }

    /// Who waits for ends, and for work.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Whether the database answers and is migrated as far as this gateway needs.
    pub async fn check(&self) -> Result<(), StoreError> {
        connect::check(&self.pool).await
    }
}

/// Counts an end in the metrics, after its commit.
pub(crate) fn count_end(operation_type: OperationType, state: State) {
    metrics::counter!(
        "gateway_operations_ended_total",
        "type" => operation_type.as_str(),
        "state" => state.as_str(),
    )
    .increment(1);
}
