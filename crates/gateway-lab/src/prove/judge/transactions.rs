//! The rule about the statuses that the transactions API reports.

use super::{Accepted, Rule, Status, Violation};

/// The final statuses of document 003 for a success.
const GOOD: [&str; 2] = ["success", "paid_full"];
/// The final statuses of document 003 for a failure.
const BAD: [&str; 5] = ["canceled", "declined", "rejected", "failed", "expired"];

/// A violation if a reported end is followed by another status, or differs from the operation's end.
pub(super) fn changed_end(operation: &Accepted) -> Option<Violation> {
    let is_end = |word: &String| GOOD.contains(&word.as_str()) || BAD.contains(&word.as_str());
    let first = operation.transaction_statuses.iter().position(is_end)?;
    let end = operation.transaction_statuses.get(first)?;
    let is_kept = match operation.status {
        Status::Succeeded => GOOD.contains(&end.as_str()),
        Status::Failed { .. } => BAD.contains(&end.as_str()),
        Status::Missing | Status::Open | Status::Parked { .. } => false,
    };
    let next = operation.transaction_statuses.get(first + 1);
    (next.is_some() || !is_kept).then(|| {
        let detail = format!(
            "reported {:?}, ended as {:?}",
            operation.transaction_statuses, operation.status
        );
        Violation::of(Rule::ReportedEndIsFinal, operation, detail)
    })
}
