//! The migrations of this gateway, and how those of a database differ from them.

use std::collections::BTreeMap;

use sqlx::migrate::Migrator;

use super::{
    Pool, StoreError,
    error::{code, failed_to},
};

/// The migrations of this gateway.
pub(super) static MIGRATOR: Migrator = sqlx::migrate!();

/// How the migrations of a database differ from those of this gateway, each by its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    /// Migrations of this gateway that the database does not have, each with its name.
    pub missing: Vec<(i64, String)>,
    /// Migrations of the database that this gateway does not know: a newer one has migrated it.
    pub unknown: Vec<i64>,
    /// Migrations that were not the same when the database was migrated, or did not end.
    pub changed: Vec<i64>,
}

impl Migrations {
    /// Whether there is no difference.
    pub fn are_current(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares. Changes nothing, and needs no right but to read the list of migrations.
pub async fn compare_migrations(pool: &Pool) -> Result<Migrations, StoreError> {
    let applied = sqlx::query!("SELECT version, success, checksum FROM _sqlx_migrations")
        .fetch_all(pool)
        .await;
    let applied = match applied {
        Err(error) if is_undefined_table(&error) => Vec::new(),
        applied => applied.map_err(failed_to("read the applied migrations"))?,
    };
    let mut applied: BTreeMap<_, _> = applied
        .into_iter()
        .map(|row| (row.version, (row.success, row.checksum)))
        .collect();
    let mut compared = Migrations::default();
    for migration in MIGRATOR.iter() {
        match applied.remove(&migration.version) {
            None => {
                let missing = (migration.version, migration.description.to_string());
                compared.missing.push(missing);
            }
            Some((is_done, checksum)) if !is_done || checksum != *migration.checksum => {
                compared.changed.push(migration.version);
            }
            Some(_) => {}
        }
    }
    compared.unknown = applied.into_keys().collect();
    Ok(compared)
}

/// The number of this gateway's newest migration.
pub(super) fn newest_migration() -> i64 {
    let versions = MIGRATOR.iter().map(|migration| migration.version);
    versions.max().unwrap_or_default()
}

/// Whether a table does not exist, for example because nothing was migrated yet.
pub(super) fn is_undefined_table(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == "42P01")
}
