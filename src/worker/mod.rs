//! Claim, attempt, settle: runs what is due, as many at once as Fineract takes.
//!
//! A claim is committed before anything else happens, an attempt before it is sent, and no transaction
//! is open while Fineract is called.

mod case;
mod conclude;
mod evidence;
mod gate;
mod held;
mod pace;
mod prepare;
mod runner;
#[cfg(feature = "sabotage")]
mod sabotaged;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    gate::Gate,
    runner::{Runner, Settings},
};
use crate::store::{ClaimLimits, Claimed};

/// How often due work is looked for when nobody said that there is some. With jitter.
const POLL: Duration = Duration::from_millis(500);
/// How long the database is left alone after it refused a claim.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs due operations until it is cancelled, then waits for what is under way.
///
/// What has not been sent by then is handed back; what is under way ends, is settled, and only then does
/// this return. The caller bounds that by dropping it: the rest runs elsewhere after its lease.
pub async fn run(runner: Arc<Runner>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let finished = Arc::new(Notify::new());
    let renewing = stop_with(&tasks, Arc::clone(&runner));
    while !stop.is_cancelled() {
        let free = runner.capacity().saturating_sub(tasks.len() - 1);
        let wanted = runner.gate().admits(free);
        let claimed = claim(&runner, wanted).await;
        let more_may_wait = claimed.len() >= wanted;
        for operation in claimed {
            let (runner, finished) = (Arc::clone(&runner), Arc::clone(&finished));
            let stop = stop.clone();
            let held = runner.held().hold(&operation);
            tasks.spawn(async move {
                runner.run(operation, &stop).await;
                drop(held);
                finished.notify_one();
            });
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = finished.notified(), if more_may_wait => {}
            () = runner.store().ends().work(), if !more_may_wait => {}
            () = runner.gate().changed() => {}
            () = tokio::time::sleep(pace::jitter(POLL)) => {}
        }
    }
    renewing.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Renews the leases of what is under way until the returned token is cancelled.
fn stop_with(tasks: &TaskTracker, runner: Arc<Runner>) -> CancellationToken {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tasks.spawn(async move {
        let renewing = runner
            .held()
            .keep_renewing(runner.store(), runner.settings().lease);
        stopping.run_until_cancelled(renewing).await;
    });
    stop
}

async fn claim(runner: &Runner, count: usize) -> Vec<Claimed> {
    if count == 0 {
        return Vec::new();
    }
    let limits = ClaimLimits {
        count: i64::try_from(count).unwrap_or(i64::MAX),
        lease: runner.settings().lease,
        types: runner::types(),
        busy_lenders: runner
            .held()
            .busy_lenders(runner.settings().loan_create_per_lender),
    };
    match runner.store().claim(&limits).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::warn!(error = %crate::telemetry::chain(&error), "nothing could be claimed");
            tokio::time::sleep(PAUSE).await;
            Vec::new()
        }
    }
}
