//! The worker: claims operations that are due and runs them, as many at the same time as Fineract can handle.
//!
//! The worker commits a claim before it does anything else. It commits an attempt before it sends the attempt's
//! command. No transaction is open while the worker calls Fineract.
//!
//! An operation passes through the files in this order. Each step may end the operation, retry it later or park it:
//!
//! | file | step |
//! | --- | --- |
//! | `claim_on_accept` | claims operations in the statement that accepts them |
//! | `admission` | waits for permission to call Fineract |
//! | `operation` | runs the steps below and completes the operation |
//! | `check_books`, `books`, `known_numbers` | checks that Fineract's books are the ones this database knows |
//! | `require_keys`, `keys`, `probe`, `learn` | checks that Fineract honours idempotency keys |
//! | `prepare` | decides what to send, or that nothing is to be sent |
//! | `look_up` | reads client, loan and product for the plan |
//! | `referents`, `expected_referent` | before a command is sent again, checks what the numbers in it refer to |
//! | `late` | waits until no command of an earlier operation can still take effect |
//! | `send` | commits the attempt and sends its command |
//! | `decide_by_answer` | decides what the answer means |
//! | `decide_by_reading`, `evidence` | reads Fineract if the answer alone does not decide |
//! | `succeed`, `close` | ends the operation: `succeed` as succeeded, `close` as refused or expired |
//! | `checker`, `resolve` | `checker` waits for a checker in Fineract, `resolve` executes an operator's resolution |
//! | `suspect`, `read_failed` | handles an answer that may concern other operations too, or a failed read |
//! | `outcome` | builds the outcomes that the steps return |
//! | `report`, `span` | logs, counts and traces the result |
//! | `activity` | shows operators what the worker does now |
//!
//! `case` contains the operation that the steps work on. `deps` contains the dependencies and the state that all
//! steps share. `leases`, `blocked`, `unended_keys` and `protect` contain parts of this state.

mod activity;
mod admission;
mod backoff;
mod blocked;
mod books;
mod case;
mod check_books;
mod checker;
mod claim_on_accept;
mod close;
mod decide_by_answer;
mod decide_by_reading;
mod deps;
mod evidence;
mod expected_referent;
mod keys;
mod known_numbers;
mod late;
mod learn;
mod leases;
mod look_up;
mod look_up_by_any_name;
mod operation;
mod outcome;
mod prepare;
mod probe;
mod protect;
mod read_failed;
mod referents;
mod report;
mod require_keys;
mod resolve;
#[cfg(feature = "sabotage")]
mod sabotage;
mod send;
mod settings;
mod span;
mod succeed;
mod suspect;
mod unended_keys;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{activity::Activity, deps::Deps, protect::CircuitBreaker, settings::Settings};
use crate::{
    operations,
    store::{ClaimLimits, Claimed},
};

/// The longest time between two claims if no notification arrives, before jitter.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a claim waits for more room than one operation needs.
const MAX_WAIT_FOR_ROOM: Duration = Duration::from_millis(20);
/// The pause after a claim that the database refused.
const PAUSE_AFTER_FAILED_CLAIM: Duration = Duration::from_millis(200);

/// Claims and runs due operations until `stop` is cancelled. Then waits until the operations in progress are
/// completed.
///
/// An operation that still waits for permission to call Fineract when `stop` is cancelled is handed back: any
/// process may claim it. To limit the waiting time, the caller drops the future. Another process then runs the
/// operations that are not completed, after their leases have expired.
pub async fn run(deps: Arc<Deps>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let finished = Arc::new(Notify::new());
    let renewing = start_lease_renewal(&tasks, Arc::clone(&deps));
    claim_on_accept::start(&deps, &tasks, &finished, &stop);
    while !stop.is_cancelled() {
        let free = deps.free(&tasks);
        let may_claim = stop
            .run_until_cancelled(check_books::check_books_before_claim(&deps))
            .await;
        let free = if may_claim == Some(true) { free } else { 0 };
        let claim = claim(&deps, deps.circuit_breaker.admits(free)).await;
        deps.is_queue_empty
            .store(claim.is_queue_empty, Ordering::Relaxed);
        for operation in claim.operations {
            let (deps, finished) = (Arc::clone(&deps), Arc::clone(&finished));
            let stop = stop.clone();
            let lease = deps.leases.add(&operation);
            tasks.spawn(async move {
                operation::run(&deps, operation, None, &stop).await;
                drop(lease);
                finished.notify_one();
            });
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = finished.notified(), if claim.waits_for_room => {}
            () = deps.store.notifier().work(), if !claim.is_full => {}
            () = deps.circuit_breaker.changed() => {}
            () = tokio::time::sleep(backoff::jitter(POLL_INTERVAL)) => {}
        }
        if claim.waits_for_room {
            wait_for_room(&deps, &tasks, &finished, &stop).await;
        }
    }
    renewing.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Waits for a short time until a quarter of the capacity is free, so that the next claim is worth its commit. Meanwhile
/// the operations in progress keep Fineract busy.
async fn wait_for_room(
    deps: &Deps,
    tasks: &TaskTracker,
    finished: &Notify,
    stop: &CancellationToken,
) {
    let waiting = async {
        while deps.free(tasks) < deps.capacity() / 4 {
            finished.notified().await;
        }
    };
    let waiting = stop.run_until_cancelled(waiting);
    drop(tokio::time::timeout(MAX_WAIT_FOR_ROOM, waiting).await);
}

/// Renews the leases of the operations in progress until the returned token is cancelled.
fn start_lease_renewal(tasks: &TaskTracker, deps: Arc<Deps>) -> CancellationToken {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tasks.spawn(async move {
        let renewing = deps.leases.keep_renewing(&deps.store, deps.settings.lease);
        stopping.run_until_cancelled(renewing).await;
    });
    stop
}

/// The operations of one claim, and which events start the next claim.
#[derive(Debug, Default)]
struct Claim {
    operations: Vec<Claimed>,
    /// Whether all capacity is in use. If so, a notification of new work does not start another claim.
    is_full: bool,
    /// Whether more operations may be due than there was room for. If so, the end of any operation starts another
    /// claim.
    waits_for_room: bool,
    /// Whether nothing is due any more.
    is_queue_empty: bool,
}

async fn claim(deps: &Deps, count: usize) -> Claim {
    if count == 0 {
        return Claim {
            is_full: true,
            waits_for_room: true,
            ..Claim::default()
        };
    }
    let mut leased = deps.leases.count_by_lender();
    let per_lender = deps.settings.loan_create_per_lender;
    let limits = ClaimLimits {
        count: i64::try_from(count).unwrap_or(i64::MAX),
        lease: deps.settings.lease,
        types: types(),
        leased_by_lender: leased.clone(),
        per_lender,
        lenders: deps.lenders(),
    };
    let mut operations = Vec::new();
    let mut is_complete = true;
    for limits in deps.blocked.claims(limits, &deps.lenders()) {
        match deps.store.claim(&limits).await {
            Ok(more) => operations.extend(more),
            Err(error) => {
                tracing::warn!(error = %crate::telemetry::chain(&error), "the database refused a claim; trying again shortly");
                tokio::time::sleep(PAUSE_AFTER_FAILED_CLAIM).await;
                is_complete = false;
                break;
            }
        }
    }
    for lender in operations
        .iter()
        .filter_map(|claimed| claimed.lender.clone())
    {
        *leased.entry(lender).or_default() += 1;
    }
    let is_full = operations.len() >= count;
    let waits_for_room = is_full || leased.values().any(|leased| *leased >= per_lender);
    Claim {
        operations,
        is_full,
        waits_for_room,
        is_queue_empty: is_complete && !waits_for_room,
    }
}

/// The operation types that this gateway knows. A claim leaves operations of other types to a gateway that knows
/// these types.
fn types() -> Vec<String> {
    operations::REGISTRY
        .iter()
        .map(|entry| entry.operation_type.as_str().to_owned())
        .collect()
}
