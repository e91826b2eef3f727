//! The findings of `doctor`, and their form on the screen.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::{store::StoreError, telemetry::chain};

/// The result of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Nothing has to be done.
    Fine,
    /// A person has to do something.
    Wrong,
    /// `doctor` cannot find out, or does not ask.
    NotKnown,
}

/// One check, with its result.
#[derive(Debug, Serialize)]
struct Check {
    /// The stable name of the check, such as `database.version`.
    #[serde(rename = "check")]
    name: String,
    status: Status,
    /// What was found, without secrets and personal data.
    finding: String,
    /// What to do; only if something is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
}

/// All findings, in the order in which they are printed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    checks: Vec<Check>,
}

impl Report {
    /// Adds a check that found nothing wrong.
    pub(super) fn fine(&mut self, check: impl Into<String>, finding: impl Into<String>) {
        self.add(check.into(), Status::Fine, finding.into(), None);
    }

    /// Adds a check that found something wrong. `action` says what to do.
    pub(super) fn wrong(
        &mut self,
        check: impl Into<String>,
        finding: impl Into<String>,
        action: impl Into<String>,
    ) {
        let action = Some(action.into());
        self.add(check.into(), Status::Wrong, finding.into(), action);
    }

    /// Adds a check whose result is not known. `finding` gives the reason.
    pub(super) fn not_known(&mut self, check: impl Into<String>, finding: impl Into<String>) {
        self.add(check.into(), Status::NotKnown, finding.into(), None);
    }

    /// Adds checks that could not be made, all for the same reason.
    pub(super) fn none_known(&mut self, checks: &[&str], reason: &str) {
        for check in checks {
            self.not_known(*check, reason);
        }
    }

    /// Adds checks that could not be made because of an error of the database.
    pub(super) fn unanswered(&mut self, checks: &[&str], error: &StoreError) {
        self.none_known(checks, &chain(error).to_string());
    }

    /// Adds the findings of another report.
    pub(super) fn extend(&mut self, other: Self) {
        self.checks.extend(other.checks);
    }

    /// Whether something is wrong.
    pub(super) fn is_wrong(&self) -> bool {
        self.count(Status::Wrong) > 0
    }

    fn add(&mut self, name: String, status: Status, finding: String, action: Option<String>) {
        self.checks.push(Check {
            name,
            status,
            finding,
            action,
        });
    }

    fn count(&self, status: Status) -> usize {
        let checks = self.checks.iter();
        checks.filter(|check| check.status == status).count()
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fine => "fine",
            Self::Wrong => "WRONG",
            Self::NotKnown => "not known",
        })
    }
}

/// One line for each check, below it the line of what to do, and at the end the number of checks by result.
impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.checks.iter().map(|check| check.name.len());
        let width = widths.max().unwrap_or_default();
        for Check {
            name,
            status,
            finding,
            action,
        } in &self.checks
        {
            writeln!(f, "{status:<9}  {name:<width$}  {finding}")?;
            if let Some(action) = action {
                writeln!(f, "{:<9}  {:<width$}  → {action}", "", "")?;
            }
        }
        let [fine, wrong, not_known] =
            [Status::Fine, Status::Wrong, Status::NotKnown].map(|status| self.count(status));
        write!(f, "\n{fine} fine, {wrong} wrong, {not_known} not known")
    }
}
