//! The errors of the statements.

use std::{borrow::Cow, sync::Arc};

use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// An error between the gateway and its database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A statement or a commit failed.
    #[error("the database failed to {action}")]
    Database {
        /// What the gateway tried to do, as an infinitive without "to": `claim operations`.
        action: &'static str,
        /// The error of the driver or of Postgres.
        source: sqlx::Error,
    },
    /// A row contains a value that this gateway does not know, for example one that a newer gateway wrote.
    #[error("the database contains an unknown {what}")]
    Unknown {
        /// What the value is, such as `type` or `state`.
        what: &'static str,
    },
    /// Another session keeps rows locked that this statement needs. Nothing was written.
    #[error("another session keeps the rows locked")]
    Locked,
    /// The file of an export cannot be written.
    #[error("the export cannot be written")]
    Export(#[source] std::io::Error),
    /// The task that writes has ended, because the process is shutting down.
    #[error("the gateway is shutting down")]
    Closed,
    /// The batch in which this row was written failed as a whole.
    #[error("the batch that contained this row failed")]
    Batch(#[source] Arc<StoreError>),
}

/// Adds to a database error the action that failed. Use `patience::WithTimeout::or_fail_to` instead where the wait for
/// the database needs a time limit.
pub(super) fn failed_to(action: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { action, source }
}

impl StoreError {
    /// Makes one error for each of the `rows` of a batch that failed with this error.
    pub(super) fn of_each<R>(self, rows: usize) -> Vec<Result<R, Self>> {
        let error = Arc::new(self);
        let failed = || Err(Self::Batch(Arc::clone(&error)));
        std::iter::repeat_with(failed).take(rows).collect()
    }

    /// The SQLSTATE of Postgres's error.
    fn code(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Database { source, .. } => code(source),
            Self::Unknown { .. }
            | Self::Locked
            | Self::Export(_)
            | Self::Closed
            | Self::Batch(_) => None,
        }
    }

    /// Whether the data of one row caused the error (SQLSTATE classes 22 and 23). If so, the other rows can be written
    /// without this row.
    pub(super) fn is_data_error(&self) -> bool {
        self.code()
            .is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
    }

    /// Whether the failed statement certainly had no effect: Postgres has rolled its transaction back and has reported
    /// this. Otherwise the answer to the commit may be lost.
    pub(super) fn is_certain(&self) -> bool {
        match self {
            Self::Database { source, .. } => source
                .as_database_error()
                .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
                .is_some_and(|error| error.severity() == PgSeverity::Error),
            Self::Unknown { .. }
            | Self::Locked
            | Self::Export(_)
            | Self::Closed
            | Self::Batch(_) => true,
        }
    }

    /// Whether the wait for a lock has timed out (`lock_not_available`).
    pub(super) fn is_lock_timeout(&self) -> bool {
        self.code().as_deref() == Some("55P03")
    }

    /// Whether some of the rows caused the error: their data, locks on them, or values that this gateway does not know. If
    /// so, each of the other rows succeeds alone.
    pub(super) fn may_be_of_some_rows(&self) -> bool {
        let is_unreadable = match self {
            Self::Database { source, .. } => {
                matches!(
                    source,
                    sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
                )
            }
            Self::Unknown { .. } => true,
            Self::Locked | Self::Export(_) | Self::Closed | Self::Batch(_) => false,
        };
        is_unreadable || self.is_data_error() || self.is_lock_timeout()
    }

    /// Whether a single row may have caused the error. A single row is not the cause if, for example, Postgres cannot
    /// be reached, has no more room or is shutting down (SQLSTATE classes 08, 25, 40, 53, 57P and 58).
    pub(super) fn may_be_of_one_row(&self) -> bool {
        const OF_ALL: [&str; 6] = ["08", "25", "40", "53", "57P", "58"];
        self.code()
            .is_some_and(|code| !OF_ALL.iter().any(|class| code.starts_with(class)))
    }
}

/// The SQLSTATE of an error of Postgres; `None` for an error of the connection or the driver.
pub(super) fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
