//! What a connection has to be before it is used.
//!
//! It is set on each new connection by a statement, and looked at afterwards: a session pooler refuses what comes
//! with the start of a connection (`options`, `extra_float_digits`), or drops it without a word.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use super::lent::TAKEN_BACK_WITHIN;
use crate::store::patience;

/// What is set, whatever the server, the database or the role have as a default; what a server does not know is left out.
const SET: [(&str, &str); 8] = [
    // Each statement sees what was committed before it, and waits for who is before it; with another level, one
    // of two that want the same row fails.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    // A plan that was made while a table was small would read all of it until it is analyzed.
    ("enable_seqscan", "off"),
    ("jit", "off"),
    // Whoever counts much leaves the other cores to those that accept.
    ("max_parallel_workers_per_gather", "0"),
    ("idle_in_transaction_session_timeout", "10s"),
    // The limits are these here; a connection that listens is idle for hours.
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
];

/// What has to be so, and is nobody's to change: text that has no place in the database's encoding is refused in the middle of
/// an acceptance, a standby is behind, and whoever has a database read-only has a reason.
const REQUIRED: [(&str, &str); 4] = [
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("in_hot_standby", "off"),
    ("default_transaction_read_only", "off"),
];

/// Acknowledged is what no crash takes away: here, and where a standby is synchronous, there too. `off` loses commits with
/// this server, `local` and `remote_write` with a failover to a standby. `remote_apply` waits for more, and stays.
const DURABLE: &str = "CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END";

/// A setting of the database that is not as it has to be.
#[derive(Debug, thiserror::Error)]
#[error("the database's {name} is {is}, and has to be {has_to_be}")]
pub struct UnfitSetting {
    /// Its name.
    name: String,
    /// What it is.
    is: String,
    /// What the gateway needs.
    has_to_be: String,
}

/// How new connections are made fit, in one round trip.
#[derive(Clone, Debug)]
pub(in crate::store) struct Session(String);

impl Session {
    /// For connections on which Postgres works so long on one statement; with a limit, a wait for a lock is short.
    pub(in crate::store) fn new(statement_timeout: Option<Duration>) -> Self {
        // A migration waits for as long as it takes.
        let lock_timeout = statement_timeout.map(|_| patience::LOCK_TIMEOUT);
        let limits = [
            ("statement_timeout", statement_timeout),
            ("lock_timeout", lock_timeout),
            // A statement ends soon after its connection was closed, and holds nothing any longer.
            ("client_connection_check_interval", Some(TAKEN_BACK_WITHIN)),
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
              WHERE current_setting(name, true) <> value
              LIMIT 1"
        ))
    }

    /// Sets what has to be set on a new connection, and looks whether it, and all else that matters, is so.
    pub(in crate::store) async fn begin(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Result<(), UnfitSetting>, sqlx::Error> {
        let rows = connection
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(self.0.as_str())))
            .await?;
        // The first is how many were set.
        let Some(unfit) = rows.get(1) else {
            return Ok(Ok(()));
        };
        Ok(Err(UnfitSetting {
            name: unfit.try_get(0)?,
            is: unfit.try_get(1)?,
            has_to_be: unfit.try_get(2)?,
        }))
    }
}

/// A limit as Postgres writes it.
fn seconds(limit: Option<Duration>) -> String {
    limit.map_or_else(|| "0".to_owned(), |limit| format!("{}s", limit.as_secs()))
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}
