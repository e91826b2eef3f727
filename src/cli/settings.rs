//! The settings as the commands get them: from the environment, and from `.env` where it is silent.

use anyhow::Context as _;
use secrecy::SecretString;

use crate::config::Config;

/// Reads every setting; all problems are in the one error.
pub(super) fn read() -> anyhow::Result<Config> {
    load_dotenv()?;
    Config::read(variable).context("the settings are not right")
}

/// Reads `DATABASE_URL` alone.
pub(super) fn database_url() -> anyhow::Result<SecretString> {
    load_dotenv()?;
    variable("DATABASE_URL").map(SecretString::from).context("DATABASE_URL is not set")
}

fn load_dotenv() -> anyhow::Result<()> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        Err(error) => Err(error).context(".env cannot be read"),
    }
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok()
}
