//! The settings that a connection must have before it is used.
//!
//! After each new connection is opened, the gateway sets the settings with a statement, and then checks them. The
//! settings are not passed as start parameters (`options`, `extra_float_digits`), because a session pooler refuses
//! start parameters, or drops them without an error.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use super::connection::RETURN_TIMEOUT;
use crate::store::patience;

/// The settings that the gateway sets, regardless of the defaults of the server, the database and the role. A setting
/// that the server does not know is left out.
const SET: [(&str, &str); 8] = [
    // Each statement sees what was committed before it, and waits for earlier writers of the same row. At a higher
    // isolation level, one of two writers of a row would fail.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    // Otherwise, a plan that was made when a table was small would read the whole table until the next `ANALYZE`.
    ("enable_seqscan", "off"),
    ("jit", "off"),
    // A query that counts many rows must leave the other cores to the sessions that accept operations.
    ("max_parallel_workers_per_gather", "0"),
    ("idle_in_transaction_session_timeout", "10s"),
    // Only the limits that the gateway itself sets may apply. A connection that listens for notifications is idle for
    // hours.
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
];

/// The settings that must have these values. The gateway does not change these settings. The reasons: with another
/// encoding, Postgres would refuse some texts in the middle of an acceptance. The data of a standby may be out of date.
/// If a database is read-only, somebody has made it read-only for a reason.
const REQUIRED: [(&str, &str); 4] = [
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("in_hot_standby", "off"),
    ("default_transaction_read_only", "off"),
];

/// The value of `synchronous_commit`. Postgres must acknowledge a commit only when no crash can lose the commit,
/// neither a crash of this server nor, if a standby is synchronous, a crash of the standby. With `off`, a crash of this
/// server loses commits. With `local` and `remote_write`, a failover to a standby loses commits. `remote_apply` is
/// stricter than `on`, so it is kept.
const DURABLE: &str = "CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END";

/// A setting of the database that the gateway cannot work with.
#[derive(Debug, thiserror::Error)]
#[error("the database's {name} is {is}, and has to be {has_to_be}")]
pub struct UnfitSetting {
    /// The name of the setting.
    pub name: String,
    /// The value that the database has.
    pub is: String,
    /// The value that the gateway needs.
    pub has_to_be: String,
}

/// The statements that set and check a new connection, in one round trip.
#[derive(Clone, Debug)]
pub(in crate::store) struct Session(String);

impl Session {
    /// `statement_timeout` is the longest time that Postgres works on one statement. If it is given, waits for locks
    /// are limited too.
    pub(in crate::store) fn new(statement_timeout: Option<Duration>) -> Self {
        // A migration has no `statement_timeout`, and waits for a lock as long as necessary.
        let lock_timeout = statement_timeout.map(|_| patience::LOCK_TIMEOUT);
        let limits = [
            ("statement_timeout", statement_timeout),
            ("lock_timeout", lock_timeout),
            // Postgres ends a statement soon after its connection was closed, and releases its locks.
            ("client_connection_check_interval", Some(RETURN_TIMEOUT)),
        ];
        let limits = limits.map(|(name, limit)| (name, seconds(limit)));
        let set = SET.map(|(name, value)| (name, value.to_owned()));
        let set: Vec<String> = [("synchronous_commit", DURABLE.to_owned())]
            .into_iter()
            .chain(
                set.into_iter()
                    .chain(limits)
                    .map(|(name, value)| (name, quoted(&value))),
            )
            .map(|(name, value)| format!("({}, {value})", quoted(name)))
            .collect();
        let required =
            REQUIRED.map(|(name, value)| format!("({}, {})", quoted(name), quoted(value)));
        let set = set.join(", ");
        let required = required.join(", ");
        Self(format!(
            "SELECT count(set_config(name, value, false))
               FROM (VALUES {set}) setting (name, value)
              WHERE current_setting(name, true) IS NOT NULL;
             SELECT name, current_setting(name), value
               FROM (VALUES {set}, {required}) setting (name, value)
              WHERE current_setting(name, true) <> value"
        ))
    }

    /// Sets the settings on a new connection. Then checks these settings and the required settings, and returns each
    /// setting that has a wrong value.
    pub(in crate::store) async fn begin(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<UnfitSetting>, sqlx::Error> {
        let rows = connection
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(self.0.as_str())))
            .await?;
        // The first row is the number of settings that were set.
        let unfit = rows.iter().skip(1).map(|row| {
            Ok(UnfitSetting {
                name: row.try_get(0)?,
                is: row.try_get(1)?,
                has_to_be: row.try_get(2)?,
            })
        });
        unfit.collect()
    }
}

/// A time limit in the notation of Postgres; `0` is no limit.
fn seconds(limit: Option<Duration>) -> String {
    limit.map_or_else(|| "0".to_owned(), |limit| format!("{}s", limit.as_secs()))
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}
