//! What is said of transactions while they run.

use super::{Accepted, Rule, Standing, Violation};

/// The ends of document 003, good and bad.
const GOOD: [&str; 2] = ["success", "paid_full"];
const BAD: [&str; 5] = ["canceled", "declined", "rejected", "failed", "expired"];

/// An end that was told, and then another one, or none.
pub(super) fn untold(operation: &Accepted) -> Option<Violation> {
    let is_end = |word: &String| GOOD.contains(&word.as_str()) || BAD.contains(&word.as_str());
    let first = operation.told.iter().position(is_end)?;
    let end = operation.told.get(first)?;
    let is_kept = match operation.standing {
        Standing::Succeeded => GOOD.contains(&end.as_str()),
        Standing::Failed { .. } => BAD.contains(&end.as_str()),
        Standing::Missing | Standing::Open | Standing::Parked { .. } => false,
    };
    let next = operation.told.get(first + 1);
    (next.is_some() || !is_kept).then(|| {
        let detail = format!("told {:?}, now {:?}", operation.told, operation.standing);
        Violation::of(Rule::ToldIsNeverUntold, operation, detail)
    })
}
