//! Checks the settings.

use std::{collections::BTreeSet, path::Path};

use secrecy::{ExposeSecret as _, SecretString};

use super::report::Report;
use crate::{
    cli::settings,
    config::{Config, ConfigProblems, Fineract, Http, Operations},
    domain::Scope,
    tls::ServerTls,
};

/// The length from which a secret counts as long enough, in characters. 16 random letters and digits cannot be guessed.
const LONG_ENOUGH: usize = 16;

/// For how many days the certificate must still be valid.
const ENOUGH_DAYS: u64 = 14;

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
            check_secrets(report, &config.http);
            check_certificate(report, config.http.tls.as_ref());
            check_scopes(report, &config.http);
            check_export(report, config.database.retention.export_to.as_deref());
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

/// Checks how long the certificate of the gateway is still valid.
fn check_certificate(report: &mut Report, tls: Option<&ServerTls>) {
    const CHECK: &str = "settings.certificate";
    let Some(tls) = tls else {
        return report.fine(
            CHECK,
            "not used; a proxy with TLS must stand before the gateway",
        );
    };
    let days = tls.valid_for().as_secs() / 86_400;
    let finding = format!("the certificate of TLS_CERT_FILE is valid for {days} more days");
    if days >= ENOUGH_DAYS {
        report.fine(CHECK, finding);
    } else {
        let action =
            "replace the files of TLS_CERT_FILE and TLS_KEY_FILE; running gateways notice it";
        report.wrong(CHECK, finding, action);
    }
}

/// Checks whether months of the archive can be exported: makes a file without a name in the folder, which is gone at once.
fn check_export(report: &mut Report, folder: Option<&Path>) {
    const CHECK: &str = "settings.export";
    match folder.map(tempfile::tempfile_in) {
        None => report.fine(CHECK, "not used"),
        Some(Ok(_)) => report.fine(CHECK, "files can be made in RETENTION_EXPORT_DIR"),
        Some(Err(error)) => report.wrong(
            CHECK,
            format!("no file can be made in RETENTION_EXPORT_DIR: {error}"),
            "let RETENTION_EXPORT_DIR name a folder that is there and that the gateway's account may write",
        ),
    }
}

/// Checks how long the secrets of callers, operators and bulk clients are. A short one can be guessed.
fn check_secrets(report: &mut Report, http: &Http) {
    let tokens = [
        ("INTERNAL_TOKENS", &http.internal_tokens),
        ("OPS_TOKENS", &http.ops_tokens),
        ("API_KEYS", &http.api_keys),
    ];
    let tokens = tokens.into_iter().flat_map(|(variable, secrets)| {
        let secrets = secrets.iter();
        secrets.map(move |named| (variable, &named.name, &named.secret))
    });
    let bulk = http.bulk_clients.iter();
    let bulk = bulk.map(|client| ("BULK_CLIENTS", &client.name, &client.client_secret));
    let short: BTreeSet<_> = tokens
        .chain(bulk)
        .filter(|(_, _, secret)| secret.expose_secret().chars().count() < LONG_ENOUGH)
        .map(|(variable, name, _)| format!("{variable}: {name}"))
        .collect();
    if short.is_empty() {
        let finding = format!("every secret has {LONG_ENOUGH} characters or more");
        return report.fine("settings.secrets", finding);
    }
    let short: Vec<_> = short.into_iter().collect();
    report.wrong(
        "settings.secrets",
        format!(
            "can be guessed, because a secret is short ({})",
            short.join(", ")
        ),
        format!(
            "use at least {LONG_ENOUGH} random characters, such as those of `openssl rand -hex 24`"
        ),
    );
}

/// Names the callers that see what every owner has sent. A key of the database can be restricted to its owner.
fn check_scopes(report: &mut Report, http: &Http) {
    const CHECK: &str = "settings.owners";
    let tokens = [
        ("INTERNAL_TOKENS", &http.internal_tokens, Scope::TrackAll),
        ("API_KEYS", &http.api_keys, Scope::TransactionsAll),
    ];
    let seeing_all: BTreeSet<_> = tokens
        .into_iter()
        .flat_map(|(variable, secrets, scope)| {
            let names = secrets.iter().map(|secret| &secret.name);
            names.map(move |name| format!("{variable}: {name} ({})", scope.as_str()))
        })
        .collect();
    if seeing_all.is_empty() {
        return report.fine(CHECK, "no token of the settings sees what others have sent");
    }
    let seeing_all: Vec<_> = seeing_all.into_iter().collect();
    report.not_known(
        CHECK,
        format!(
            "these see what every owner has sent, which is right only if they belong to one company: {}. Keys in the database see only their own (docs/KEYS.md)",
            seeing_all.join(", ")
        ),
    );
}
