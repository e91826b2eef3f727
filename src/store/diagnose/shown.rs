//! What the database shows about itself.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// What the server shows about itself.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "settings as Postgres shows them"
)]
pub struct Server {
    /// The version, such as `15.6 (Debian 15.6-0+deb12u1)`.
    pub version: String,
    /// The version as a number, such as 150006.
    pub version_number: i32,
    /// Whether a commit is flushed to the disk at all.
    pub fsync: bool,
    /// Whether a crash during a write cannot leave a half-written page.
    pub full_page_writes: bool,
    /// The value of `synchronous_commit` before the gateway sets it.
    pub default_synchronous_commit: String,
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// Whether the connection that Postgres sees is encrypted.
    pub is_encrypted: bool,
    /// Whether that connection stays on one machine.
    pub is_local: bool,
}

/// The standbys that are connected to the server.
#[derive(Clone, Debug)]
pub struct Standbys {
    /// The setting `synchronous_standby_names`.
    pub synchronous_names: String,
    /// How many are synchronous.
    pub synchronous: i64,
    /// How many are asynchronous.
    pub asynchronous: i64,
    /// How many do not show whether they are synchronous, because the role may not see it.
    pub hidden: i64,
}

/// The oldest transaction that is open in this database.
#[derive(Clone, Debug)]
pub struct OldestTransaction {
    /// Its age; zero if no transaction is open.
    pub age: Duration,
    /// The process id of its session; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// Whether the role sees the transactions of other roles.
    pub sees_all: bool,
}

/// The rights of the role in the current schema.
#[derive(Clone, Debug)]
pub struct Rights {
    /// The name of the current schema; `None` if there is none that the role may use.
    pub schema: Option<String>,
    /// Whether the role may create objects in the schema.
    pub may_create: bool,
    /// Whether the role owns all tables of the schema, as a migration needs.
    pub owns_all: bool,
    /// Each missing right, such as `UPDATE on operation`.
    pub missing: Vec<String>,
}

/// What protects the audit from changes.
#[derive(Clone, Copy, Debug)]
pub struct AuditGuard {
    /// Whether the triggers of the audit and of its seals are there, and switched on.
    pub is_on: bool,
    /// Whether the role could switch them off; `None`: they are not there.
    pub may_switch_off: Option<bool>,
}

/// The version of the schema, compared with this gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaVersion {
    /// The schema has every migration of this gateway.
    Current,
    /// A migration is missing.
    Older,
    /// A newer gateway has migrated the database.
    Newer,
}

/// The last verdict on the keys of a kind of command.
#[derive(Clone, Debug)]
pub struct LastVerdict {
    /// The kind of command, by the name of its probe.
    pub command: String,
    /// Whether keys are honoured; `None` if it is not known yet.
    pub honoured: Option<bool>,
    /// The name of the header that carried the keys, in lower case.
    pub header: String,
    /// The `process_start_time_seconds` of the Fineract that was probed, if it reports one.
    pub process_start: Option<String>,
}
