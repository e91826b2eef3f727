//! The settings as the commands get them: from the environment, and from `.env` where it is silent.

use std::collections::HashMap;

use anyhow::{Context as _, anyhow};
use secrecy::SecretString;

use crate::config::{Config, Fineract, Operations};

/// Reads every setting; all problems are in the one error.
pub(super) fn read() -> anyhow::Result<Config> {
    let lookup = variables()?;
    Ok(Config::read(lookup)?)
}

/// Reads `DATABASE_URL` alone.
pub(super) fn database_url() -> anyhow::Result<SecretString> {
    variables()?("DATABASE_URL")
        .map(SecretString::from)
        .context("DATABASE_URL is not set")
}

/// Reads what it takes to reach Fineract, and what differs between deployments there.
pub(super) fn fineract() -> anyhow::Result<(Fineract, Operations)> {
    Ok(Config::read_fineract(variables()?)?)
}

/// The variables of the environment, and of `.env` in the working folder or above it.
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

/// `dotenvy` quotes the line that it cannot parse, which may hold a secret.
fn unreadable(error: dotenvy::Error) -> anyhow::Error {
    if let dotenvy::Error::Io(error) = error {
        return anyhow::Error::new(error).context("cannot read .env");
    }
    anyhow!("cannot read .env: a line is not NAME=value (blanks need quotes)")
}
