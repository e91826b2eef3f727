//! Checks the settings.

use secrecy::SecretString;

use super::report::Report;
use crate::{
    cli::settings,
    config::{Config, ConfigProblems, Fineract, Operations},
};

/// What the other checks need of the settings, as far as it is valid.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// `DATABASE_URL`.
    pub(super) database: Option<SecretString>,
    /// The settings of Fineract and of the operations.
    pub(super) fineract: Option<(Fineract, Operations)>,
    /// Why `fineract` is `None`.
    pub(super) without_fineract: String,
}

/// Reads the settings as `serve` does. If there are problems, reads each part for itself, because the other parts can
/// still be checked.
pub(super) fn check(report: &mut Report) -> Settings {
    let variables = match settings::variables() {
        Ok(variables) => variables,
        Err(error) => {
            report.wrong("settings", format!("{error:#}"), "correct the file .env");
            return Settings {
                without_fineract: "the settings cannot be read".to_owned(),
                ..Settings::default()
            };
        }
    };
    let problems = match Config::read(&variables) {
        Ok(config) => {
            report.fine("settings", "all settings are valid");
            let operations = config.operations;
            return Settings {
                database: Some(config.database.url),
                fineract: config.fineract.map(|fineract| (fineract, operations)),
                without_fineract: "ROLE is api, and Fineract has no settings".to_owned(),
            };
        }
        Err(ConfigProblems(problems)) => problems,
    };
    for problem in problems {
        report.wrong(
            format!("settings.{}", problem.variable),
            format!("{} {}", problem.variable, problem.problem),
            "correct it in the environment or in .env; .env.example describes it",
        );
    }
    let database = Config::read_database(&variables).ok();
    Settings {
        database: database.map(|database| database.url),
        fineract: Config::read_fineract(&variables).ok(),
        without_fineract: "the settings of Fineract are not valid".to_owned(),
    }
}
