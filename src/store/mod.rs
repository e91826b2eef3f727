//! The only module with SQL: the queue in Postgres, and the notifications when operations end.
//!
//! Every transaction locks lanes before operations. It locks lanes in the order of their keys, and operations in the
//! order of their ids. This order makes deadlocks impossible (`docs/adr/0003-one-order-of-locks.md`). No transaction
//! is open while the gateway waits for anything outside Postgres. Every wait for Postgres has a time limit from
//! `patience`.
//!
//! `Store` gives access to everything in this module. Each file has the statements of one task, as methods of
//! `Store`:
//!
//! | file | methods of `Store` |
//! | --- | --- |
//! | `accept/` | `accept`, `accepted_under_key`, `claim_on_accept` |
//! | `attempt` | `start_attempt`, `attempts` |
//! | `audit_seals/` | `run_audit_seals`, `noted_seal` |
//! | `backlog` | `backlog`, `watch_backlog` |
//! | `books` | `epoch`, `newest_clients`, `newest_loans`, `is_confirmed` |
//! | `bulk/` | `batch` |
//! | `bulk/accept` | `accept_batch` |
//! | `bulk/cancel` | `cancel_batch` |
//! | `bulk/candidates` | `retry_candidates` |
//! | `bulk/retry` | `retry_rows` |
//! | `bulk/status` | `batch_page`, `payloads` |
//! | `cascade/` | `run_cascade`, `fail_some_dependents` |
//! | `claim` | `claim`, `renew`, `record_begun`, `rekeyed_before`, `same_reference` |
//! | `completing` | `complete`, `oldest_unwritten_answer`, `report_unwritten_answers`, `completions_left_out` |
//! | `credentials/` | `credentials` |
//! | `events/` | `run_events`, `last_event`, `events_of`, `events_of_all` |
//! | `events/minutes` | `minutes` |
//! | `events/tail` | `read_new_events` |
//! | `expiry` | `run_expiry`, `end_expired` |
//! | `gateway_processes` | `write_heartbeat`, `remove_heartbeat`, `running_gateways` |
//! | `hold_all/` | `active_hold`, `is_on_hold`, `count_on_hold`, `end_hold` |
//! | `hold_all/release` | `release_on_hold` |
//! | `key_probe` | `key_verdict`, `begin_key_probe`, `end_key_probe`, `write_key_verdict` |
//! | `key_probe` | `keys_not_honoured`, `numbered` |
//! | `key_usage` | `take_block` |
//! | `operators/` | `find` |
//! | `operators/batches` | `batches` |
//! | `operators/books` | `books`, `confirm_books`, `confirm_number` |
//! | `operators/cancel` | `cancel` |
//! | `operators/hold` | `hold` |
//! | `operators/inspect/` | `inspect` |
//! | `operators/lane` | `lane_story` |
//! | `operators/list/` | `list`, `count` |
//! | `operators/read_audit`, `operators/status` | `audit`; `system_status` |
//! | `operators/repair/` | `preview_repair`, `start_repair`, `stop_repair`, `repairs`, `repair` |
//! | `operators/repair/run` | `claim_repair`, `next_rows`, `row_turn`, `has_changed`, `write_row`, `leave_repair` |
//! | `operators/resolve` | `resolve` |
//! | `operators/retry` | `retry_parked`, `retryable`, `retry_failed` |
//! | `operators/reveal`, `operators/views` | `record_reveal`, `record_read`; `saved_views`, `save_view`, `remove_view` |
//! | `operators/sessions` | `begin_session`, `session`, `take_link`, `end_session`, `end_sessions_of` |
//! | `retention/` | `retention`, `dropped_at`, `dropped` |
//! | `track` | `track` |
//! | `transaction` | `money_movement`, `estimated_end` |
//!
//! `hold_all/cover` has the functions `hold_all` and `keep_on_hold`, `erase/` has `erase`, `audit_seals/verify` has
//! `verify_audit`, and `migrations` has `compare_migrations`. They need only a pool.
//!
//! The other files contain parts of these methods:
//!
//! | file | content |
//! | --- | --- |
//! | `complete`, `completion`, `end` | the statement that completes, and what it writes; the end of operations |
//! | `unwritten` | the list of the completions that are not written yet |
//! | `lanes` | lane entries, locks and admission |
//! | `cancel`, `failures_read` | ending operations that were never sent; recording that callers have read failures |
//! | `claimed`, `due` | the limits and the result of a claim; where a claim begins to search for due operations |
//! | `batcher`, `locks` | group commits; leaving locked rows out of a batch |
//! | `completion_notifier` | waking callers and workers of this process, and of other processes by `NOTIFY` |
//! | `event_notifier` | its part that wakes the sequencer and the readers of events |
//! | `connect`, `examine`, `pool/`, `patience` | connecting, checking the database, the connections, time limits |
//! | `diagnose` | what the command `doctor` reads about the database |
//! | `migrations` | the migrations, and how those of a database differ |
//! | `error`, `names`, `body_digest` | errors; conversion of the names in the tables; digests of request bodies |
//! | `hex` | hexadecimal digits |
//! | `claims`, `unfenced` | only for the lab: measuring the cost of claims; a gateway without the fence |

mod accept;
mod attempt;
mod audit_seals;
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
mod credentials;
mod diagnose;
mod due;
mod end;
mod erase;
mod error;
mod event_notifier;
mod events;
mod examine;
mod expiry;
mod failures_read;
mod gateway_processes;
mod hex;
mod hold_all;
mod key_probe;
mod key_usage;
mod lanes;
mod locks;
mod migrations;
mod names;
mod operators;
mod patience;
mod pool;
mod recent_ends;
mod reply;
mod retention;
mod track;
mod track_row;
mod transaction;
#[cfg(feature = "sabotage")]
mod unfenced;
mod unwritten;
mod webhooks;

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

#[cfg(feature = "lab")]
pub use self::claims::{Claims, Cost};
pub(crate) use self::complete::count_end;
pub use self::{
    accept::{Accepted, CallerKey, NewOperation, Offer},
    attempt::{SeenLoan, StartAttempt},
    audit_seals::{AuditProblem, SealMark, VerifiedAudit, verify_audit},
    body_digest::BodyDigest,
    books::KnownNumber,
    bulk::{
        Batch, BatchAccepted, BatchPage, Candidate, NewBatch, NewRow, Record, RecordFilter,
        RefusedRow, Retry, RowContent, RowFailure, RowStatus, Summary,
    },
    cancel::{EXPIRED, EXPIRED_UNSENT, FailsDependents},
    claim::{KILLS_ITS_WORKER, SUSPECT_AFTER},
    claimed::{ClaimLimits, Claimed},
    completion::Completion,
    completion_notifier::{CompletionNotifier, Waiter},
    connect::{connect, connect_migrated, migrate},
    credentials::{
        Credential, CredentialChanges, CredentialError, CredentialSettings, CredentialTable,
        StoredSecret,
    },
    diagnose::{
        AuditGuard, Diagnosis, LastVerdict, OldestTransaction, Rights, SchemaVersion, Server,
        Standbys,
    },
    erase::{EraseError, Erased, erase},
    error::StoreError,
    events::{Event, EventOperation, EventPage, EventType, Events, Minute, NewEvents, Reader},
    examine::DatabaseProblem,
    gateway_processes::{GatewayProcess, RunningGateway},
    hold_all::{CountOnHold, Covered, HoldAll, HoldFilter, Released, hold_all, keep_on_hold},
    key_probe::{KeyVerdict, NewKeyVerdict, Numbered},
    key_usage::{Block, BlockRequest},
    lanes::LaneEntries,
    migrations::{Migrations, compare_migrations},
    names::TrackingName,
    operators::{
        ActionError, AuditEntry, AuditFilter, AuditPage, AuditRow, Backlog, BooksReport,
        ClaimedRepair, Count, CountBy, DatabaseStatus, Digest, Expected, Found, Inspected,
        InspectedAttempt, KeyProbe, LaneOperation, LaneStory, LeftOut, ListCursor, ListError,
        ListPage, ListRequest, Listed, ListedBatch, NewEpoch, NewRepair, NoIndex,
        NumberConfirmation, NumberConflict, OperationFilter, Operator, Preview, Repair,
        RepairAction, RepairError, RepairOf, RepairOptions, RepairReport, RepairRow, Retryable,
        RowOutcome, RowToRepair, RowTurn, SavedView, Session, SessionKind, Sort, StateFilter,
        SystemStatus, Unfit,
    },
    patience::STATEMENT_TIMEOUT,
    pool::{Pool, UnfitSetting},
    retention::{
        ArchivedMonth, DroppedOperation, LastRun, Retention, RetentionReport, RetentionRun,
        RetentionSettings, RetentionStatus,
    },
    track::Tracked,
    transaction::{MoneyMovement, Progress},
    webhooks::{
        Delivery, DeliveryFilter, DeliveryState, DueDelivery, Endpoint, EndpointHealth,
        EndpointSettings, HealthOf, RunningEndpoint, Try, What,
    },
};
use self::{
    batcher::Batcher, due::Due, events::Readers, operators::Action, recent_ends::RecentEnds,
    unwritten::Unwritten,
};

/// The queue in Postgres. Clones share their parts, so cloning is cheap.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    accept_group: accept::Group,
    accepting: Batcher<NewOperation, Result<accept::Tried, StoreError>>,
    accepting_alone: Arc<Semaphore>,
    starting: Batcher<StartAttempt, Result<bool, StoreError>>,
    complete_group: complete::Group,
    completing: Batcher<Completion, completing::Tried>,
    completing_alone: Arc<Semaphore>,
    unwritten: Unwritten,
    recording_later: mpsc::Sender<Uuid>,
    tracking: track::Reader,
    tracking_archived: track::Reader,
    recent_ends: RecentEnds,
    notifier: CompletionNotifier,
    events: Readers,
    /// The seal of the audit that this process has noted last.
    noted_seal: watch::Sender<Option<SealMark>>,
    /// The backlog as of the last count.
    backlog: Arc<AtomicU64>,
    due: Arc<Due>,
    fails_dependents: FailsDependents,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// How many rows are tried alone at the same time, each on its own connection. A row is tried alone after it was left
/// out of its batch.
const ALONE: usize = 2;

impl Store {
    /// Starts the tasks that commit in groups. The database must be migrated.
    pub fn start(
        pool: Pool,
        notifier: CompletionNotifier,
        tasks: &TaskTracker,
        fails_dependents: FailsDependents,
    ) -> Self {
        let recent_ends = RecentEnds::default();
        let complete_group = complete::Group {
            pool: pool.clone(),
            notifier: notifier.clone(),
            recent_ends: recent_ends.clone(),
        };
        let accept_group = accept::Group {
            pool: pool.clone(),
            notifier: notifier.clone(),
            offers: accept::Offers::default(),
        };
        Self {
            accepting: accept::start(&accept_group, tasks),
            accept_group,
            accepting_alone: Arc::new(Semaphore::new(ALONE)),
            starting: attempt::start(&pool, tasks),
            completing: completing::start(&complete_group, tasks),
            complete_group,
            completing_alone: Arc::new(Semaphore::new(ALONE)),
            unwritten: Unwritten::default(),
            recording_later: failures_read::start(&pool, tasks),
            tracking: track::start(&pool, tasks),
            tracking_archived: track::start_archived(&pool, tasks),
            recent_ends,
            events: Readers::default(),
            noted_seal: watch::Sender::default(),
            backlog: Arc::default(),
            due: Arc::default(),
            fails_dependents,
            pool,
            notifier,
        }
    }

    /// The notifier. Callers use it to wait for the end of an operation, and the worker uses it to wait for work.
    pub fn notifier(&self) -> &CompletionNotifier {
        &self.notifier
    }

    /// Checks that the database answers and has all migrations that this gateway needs.
    pub async fn check(&self) -> Result<(), StoreError> {
        connect::check(&self.pool).await
    }
}
