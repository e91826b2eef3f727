//! Waiting for a condition: the one deadline of all tests, and the only place where tests pause.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// The longest time that a test waits for anything. It only ends tests that hang. If the time itself matters, a test
/// asserts a limit of its own.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// The time between two checks of something that cannot wake the test, such as a row or a metric.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `condition` is true. If the test waits in vain, the message contains `what`. The condition may also act
/// on the system, for example make a retry due.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually_ok(what, async || condition().await.then_some(()).ok_or(false)).await;
}

/// Waits until `look` returns a value. If the test waits in vain, the message contains what `look` saw last.
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

/// Repeats an action until `end` is ready.
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
