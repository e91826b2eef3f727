//! Waiting for a condition: one deadline for all tests, and the only pause in them.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// The longest that a test waits for anything. It only ends tests that hang: where the time itself matters, a test
/// asserts a limit of its own.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// The time between two looks at something that cannot wake who waits for it, such as a row or a metric.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `condition` is true; `what` names it in the message of a test that waits in vain. The condition may act on
/// the system each time, for example make a retry due.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually_ok(what, async || condition().await.then_some(()).ok_or(false)).await;
}

/// Waits until `look` finds a value; the message of a test that waits in vain shows what it saw last instead.
pub(crate) async fn eventually_ok<T, S: Debug>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, S>,
) -> T {
    let started = Instant::now();
    loop {
        match look().await {
            Ok(value) => return value,
            Err(seen) => assert!(
                started.elapsed() < DEADLINE,
                "never: {what}; last: {seen:?}"
            ),
        }
        pause().await;
    }
}

/// Does something again and again until `end` is there.
pub(crate) async fn while_waiting<T>(
    end: impl Future<Output = T>,
    mut act: impl AsyncFnMut(),
) -> T {
    let acting = async {
        loop {
            act().await;
            pause().await;
        }
    };
    tokio::select! {
        end = end => end,
        () = acting => unreachable!(),
    }
}

async fn pause() {
    tokio::time::sleep(PAUSE).await;
}
