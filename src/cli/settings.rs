use std::collections::HashMap;

use anyhow::anyhow;

use crate::config::Config;

/// Reads the settings from the environment and from `.env` in the working folder or above it; the
/// environment wins.
#[expect(
    dead_code,
    reason = "the first subcommand that needs settings is still to come"
)]
pub(super) fn read() -> anyhow::Result<Config> {
    let from_file: HashMap<_, _> = match dotenvy::dotenv_iter() {
        Ok(variables) => variables.collect::<Result<_, _>>().map_err(unreadable)?,
        Err(error) if error.not_found() => HashMap::new(),
        Err(error) => return Err(unreadable(error)),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where settings are read, once"
    )]
    let lookup = |name: &str| {
        std::env::var(name)
            .ok()
            .or_else(|| from_file.get(name).cloned())
    };
    Ok(Config::read(lookup)?)
}

/// `dotenvy` quotes the line that it cannot parse, which may hold a secret.
fn unreadable(error: dotenvy::Error) -> anyhow::Error {
    if let dotenvy::Error::Io(error) = error {
        return anyhow::Error::new(error).context("cannot read .env");
    }
    anyhow!("cannot read .env: a line is not NAME=value (blanks need quotes)")
}
