//! `doctor`: checks the settings, the database and Fineract, and reports everything that is wrong at once. It changes
//! nothing (`docs/adr/0038-doctor-only-reads.md`).
//!
//! | module | what it checks |
//! | --- | --- |
//! | `settings` | whether the settings are valid |
//! | `database` | what the database shows about itself |
//! | `fineract` | whether Fineract accepts the gateway's requests, and what Fineract shows about itself |
//! | `rights` | the permissions of the gateway's user in Fineract |
//! | `products` | the lenders' products, the payment type and the office |
//! | `keys` | the stored verdicts on idempotency keys |

mod database;
mod fineract;
mod keys;
mod products;
mod report;
mod rights;
mod settings;
#[cfg(test)]
mod tests;

use std::{process::ExitCode, time::Duration};

use chrono::{DateTime, Utc};

use self::report::Report;
use super::print::Printer;
use crate::telemetry::wall_clock;

/// The arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
    /// Set the age in seconds from which an open transaction in the database is reported as wrong.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    transaction_age: u64,
}

/// How far two clocks may differ.
const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(5);

/// Makes all checks and prints the findings. The exit code is 0 if nothing is wrong, otherwise 1. What is not known
/// does not count as wrong.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    let settings = settings::check(&mut report);
    let transaction_age = Duration::from_secs(arguments.transaction_age);
    let ((of_database, verdicts), (of_fineract, process)) = tokio::join!(
        database::check(settings.database.as_ref(), transaction_age),
        fineract::check(settings.fineract.as_ref(), &settings.without_fineract),
    );
    report.extend(of_database);
    report.extend(of_fineract);
    if let Some((fineract, _)) = &settings.fineract {
        let header = fineract.idempotency_header.as_str();
        keys::check(&mut report, header, verdicts.as_deref(), process.as_ref());
    }
    let text = if arguments.json {
        serde_json::to_string_pretty(&report)?
    } else {
        report.to_string()
    };
    Printer::default().line(&text)?;
    Ok(if report.is_wrong() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Compares another clock with the clock of this machine. The other clock was read at a time between `asked_at` and
/// now. `resolution` is the smallest step of the other clock.
fn compare_clocks(
    report: &mut Report,
    check: &str,
    asked_at: DateTime<Utc>,
    other: DateTime<Utc>,
    resolution: Duration,
) {
    let ahead = (other - wall_clock()).to_std().unwrap_or_default();
    let behind = (asked_at - other).to_std().unwrap_or_default();
    let difference = ahead.max(behind.saturating_sub(resolution));
    if difference <= CLOCKS_DIFFER_BY {
        report.fine(check, "its clock agrees with the clock of this machine");
        return;
    }
    let direction = if ahead > behind { "ahead of" } else { "behind" };
    let seconds = difference.as_secs();
    report.wrong(
        check,
        format!("its clock is {seconds} s {direction} the clock of this machine"),
        "let NTP synchronise the clocks of both machines",
    );
}
