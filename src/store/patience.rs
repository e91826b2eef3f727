//! Time limits for waiting for the database.

use std::{io, time::Duration};

use futures_util::{FutureExt as _, TryFutureExt as _};

use super::error::{StoreError, failed_to};

/// How long the gateway waits for the answer to a statement.
///
/// If a server or a network dies between a statement and its answer, nothing reports it, and sqlx sets no keepalive on
/// its sockets. Without this limit, the caller and everything behind it would wait for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long Postgres works on one statement, including waits for locks. It is shorter than the gateway's own limit, so
/// that a statement for which the gateway no longer waits has ended and has no locks.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a statement waits for a lock. Other gateways hold locks for milliseconds; a person may forget one.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before a background task tries a failed statement again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Ends a wait for the database after `longest`, with the error of a broken connection. The statement may have taken
/// effect all the same.
pub(super) fn within<T>(
    longest: Duration,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> impl Future<Output = Result<T, sqlx::Error>> {
    tokio::time::timeout(longest, statement).map(|answered| {
        answered.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    })
}

/// A future of a statement, which can be limited to [`ANSWER_TIMEOUT`].
pub(super) trait WithTimeout<T>: Future<Output = Result<T, sqlx::Error>> + Sized {
    /// Waits for the answer, and adds to an error what was tried: `.or_fail_to("claim operations").await?`.
    fn or_fail_to(self, action: &'static str) -> impl Future<Output = Result<T, StoreError>> {
        within(ANSWER_TIMEOUT, self).map_err(failed_to(action))
    }
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> WithTimeout<T> for F {}
