//! Time limits for waiting for the database.

use std::{io, time::Duration};

use futures_util::{FutureExt as _, TryFutureExt as _};

use super::error::{StoreError, failed_to};

/// How long the gateway waits for the answer to a statement.
///
/// If the server or the network fails between a statement and its answer, nothing reports the failure, because sqlx
/// sets no keepalive on its sockets. Without this limit, the gateway would wait for the answer for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long Postgres works on one statement, including waits for locks. This time is shorter than `ANSWER_TIMEOUT`. So
/// when the gateway stops waiting for a statement, Postgres has already ended the statement and released its locks.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a statement waits for a lock. Other gateways hold a lock only for milliseconds, but a person may forget to
/// release a lock.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before a background task tries a failed statement again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Stops waiting for the database after `longest`, and returns the error of a broken connection. The statement may have
/// taken effect nevertheless.
pub(super) fn within<T>(
    longest: Duration,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> impl Future<Output = Result<T, sqlx::Error>> {
    tokio::time::timeout(longest, statement).map(|answered| {
        answered.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    })
}

/// Adds the time limit [`ANSWER_TIMEOUT`] to the future of a statement.
pub(super) trait WithTimeout<T>: Future<Output = Result<T, sqlx::Error>> + Sized {
    /// Waits for the answer, and adds to an error the action that failed: `.or_fail_to("claim operations").await?`.
    fn or_fail_to(self, action: &'static str) -> impl Future<Output = Result<T, StoreError>> {
        within(ANSWER_TIMEOUT, self).map_err(failed_to(action))
    }
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> WithTimeout<T> for F {}
