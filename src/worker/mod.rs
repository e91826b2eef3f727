//! Claim, attempt, settle: runs what is due, as many at once as Fineract takes.
//!
//! A claim is committed before anything else happens, an attempt before it is sent, and no transaction
//! is open while Fineract is called.

mod admission;
mod backoff;
mod blocked;
mod books;
mod case;
mod check_books;
mod checker;
mod close;
mod deps;
mod find;
mod keys;
mod known;
mod late;
mod learn;
mod leases;
mod look_up;
mod meant;
mod operation;
mod outcome;
mod prepare;
mod probe;
mod protect;
mod read;
mod referents;
mod report;
mod require_keys;
mod resolve;
#[cfg(feature = "sabotage")]
mod sabotaged;
mod send;
mod settings;
mod succeed;
mod suspect;
mod unread;
mod watched;
mod weigh;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{deps::Deps, protect::CircuitBreaker, settings::Settings};
use crate::{
    operations,
    store::{ClaimLimits, Claimed},
};

/// How often due work is looked for when nobody said that there is some. With jitter.
const POLL: Duration = Duration::from_millis(500);
/// How long the database is left alone after it refused a claim.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs due operations until it is cancelled, then waits for what is under way.
///
/// What has not been sent by then is handed back; what is under way ends, is completed, and only then does
/// this return. The caller bounds that by dropping it: the rest runs elsewhere after its lease.
pub async fn run(deps: Arc<Deps>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let finished = Arc::new(Notify::new());
    let renewing = stop_with(&tasks, Arc::clone(&deps));
    while !stop.is_cancelled() {
        // What only waits to be completed, alone, keeps nobody else from running.
        let busy = (tasks.len() - 1).saturating_sub(deps.store.completions_left_out());
        let free = deps.capacity().saturating_sub(busy);
        let may_claim = stop
            .run_until_cancelled(check_books::keep_books(&deps))
            .await;
        let free = if may_claim == Some(true) { free } else { 0 };
        let claim = claim(&deps, deps.circuit_breaker.admits(free)).await;
        for operation in claim.operations {
            let (deps, finished) = (Arc::clone(&deps), Arc::clone(&finished));
            let stop = stop.clone();
            let lease = deps.leases.hold(&operation);
            tasks.spawn(async move {
                operation::run(&deps, operation, &stop).await;
                drop(lease);
                finished.notify_one();
            });
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = finished.notified(), if claim.waits_for_room => {}
            () = deps.store.notifier().work(), if !claim.is_full => {}
            () = deps.circuit_breaker.changed() => {}
            () = tokio::time::sleep(backoff::jitter(POLL)) => {}
        }
    }
    renewing.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Renews the leases of what is under way until the returned token is cancelled.
fn stop_with(tasks: &TaskTracker, deps: Arc<Deps>) -> CancellationToken {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tasks.spawn(async move {
        let renewing = deps.leases.keep_renewing(&deps.store, deps.settings.lease);
        stopping.run_until_cancelled(renewing).await;
    });
    stop
}

/// What a claim brought, and what it says about the next one.
#[derive(Debug, Default)]
struct Claim {
    operations: Vec<Claimed>,
    /// All places are taken, so that new work changes nothing.
    is_full: bool,
    /// More may be due than there was room for: as soon as one ends, the next claim may bring some.
    waits_for_room: bool,
}

async fn claim(deps: &Deps, count: usize) -> Claim {
    if count == 0 {
        return Claim {
            is_full: true,
            waits_for_room: true,
            ..Claim::default()
        };
    }
    let mut leased = deps.leases.by_lender();
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
    for limits in deps.blocked.claims(limits, &deps.lenders()) {
        match deps.store.claim(&limits).await {
            Ok(more) => operations.extend(more),
            Err(error) => {
                tracing::warn!(error = %crate::telemetry::chain(&error), "nothing could be claimed");
                tokio::time::sleep(PAUSE).await;
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
    Claim {
        operations,
        is_full,
        waits_for_room: is_full || leased.values().any(|leased| *leased >= per_lender),
    }
}

/// The types this gateway runs; others wait for a gateway that does.
fn types() -> Vec<String> {
    operations::REGISTRY
        .iter()
        .map(|entry| entry.operation_type.as_str().to_owned())
        .collect()
}
