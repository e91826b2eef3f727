//! Waiting for the database, and not for ever.

use std::{io, time::Duration};

use futures_util::{FutureExt as _, TryFutureExt as _};

use super::{StoreError, failed_to};

/// How long a statement is waited for.
///
/// A server or a network that dies between a question and its answer says nothing, and sqlx asks no socket
/// to find out: whoever waits, and all behind it, would wait as long as the process lives.
const LONGEST: Duration = Duration::from_secs(30);

/// How long Postgres works on one statement, the wait for a lock included. Shorter: what nobody waits for
/// any more is over, and holds neither a lock nor a connection.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a statement waits for a lock: who else writes holds one for milliseconds, but a person may forget one.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Ends a wait for the database after so long, as if its connection had broken: what was asked may have
/// taken place all the same.
pub(super) fn within<T>(
    longest: Duration,
    asking: impl Future<Output = Result<T, sqlx::Error>>,
) -> impl Future<Output = Result<T, sqlx::Error>> {
    tokio::time::timeout(longest, asking).map(|answered| {
        answered.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    })
}

/// What asks the database.
pub(super) trait Asking<T>: Future<Output = Result<T, sqlx::Error>> + Sized {
    /// Its answer, or what could not be done: `.or_fail_to("claim operations").await?`.
    fn or_fail_to(self, action: &'static str) -> impl Future<Output = Result<T, StoreError>> {
        within(LONGEST, self).map_err(failed_to(action))
    }
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> Asking<T> for F {}
