//! Provides the settings to the commands, from the environment and from the file `.env`.

use std::collections::HashMap;

use anyhow::anyhow;
use secrecy::SecretString;

use crate::config::{Config, Database, Fineract, Operations};

/// Reads all settings. The error contains all problems.
pub(super) fn read() -> anyhow::Result<Config> {
    let lookup = variables()?;
    Ok(Config::read(lookup)?)
}

/// Reads only `DATABASE_URL`.
pub(super) fn database_url() -> anyhow::Result<SecretString> {
    Ok(database()?.url)
}

/// Reads only the settings of the database.
pub(super) fn database() -> anyhow::Result<Database> {
    Ok(Config::read_database(variables()?)?)
}

/// Reads only the settings of Fineract and the settings of the operations.
pub(super) fn fineract() -> anyhow::Result<(Fineract, Operations)> {
    Ok(Config::read_fineract(variables()?)?)
}

/// Looks up variables in the environment. A variable that is not set there is looked up in the file `.env`, in the
/// working folder or in a folder above it.
pub fn variables() -> anyhow::Result<impl Fn(&str) -> Option<String>> {
    let from_file: HashMap<_, _> = match dotenvy::dotenv_iter() {
        Ok(variables) => variables.collect::<Result<_, _>>().map_err(unreadable)?,
        Err(error) if error.not_found() => HashMap::new(),
        Err(error) => return Err(unreadable(error)),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where settings are read, once"
    )]
    Ok(move |name: &str| {
        std::env::var(name)
            .ok()
            .or_else(|| from_file.get(name).cloned())
    })
}

/// Hides the line that `dotenvy` quotes if it cannot parse it, because the line may contain a secret.
fn unreadable(error: dotenvy::Error) -> anyhow::Error {
    if let dotenvy::Error::Io(error) = error {
        return anyhow::Error::new(error).context("cannot read .env");
    }
    anyhow!("cannot read .env: a line is not NAME=value (blanks need quotes)")
}
