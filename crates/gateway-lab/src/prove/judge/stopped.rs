//! The rule about operations that were cancelled or expired.

use super::{Accepted, Books, Rule, Violation};

/// The gateway's codes for operations that were cancelled or expired, and for their dependents.
const STOPPED: [&str; 3] = ["cancelled", "expired", "behind_stopped"];

/// A violation if the operation replaces a cancelled or expired operation although the retry did not name its row.
pub(super) fn retried_unnamed(books: &Books, operation: &Accepted) -> Option<Violation> {
    let id = operation.replaces?;
    let stopped = books
        .operations
        .iter()
        .find(|stopped| stopped.id() == Some(id))?;
    let code = stopped.code.as_deref()?;
    STOPPED.contains(&code).then(|| {
        let detail = format!("it replaces {}, which ended as {code}", stopped.name());
        Violation::of(Rule::StoppedStaysStopped, operation, detail)
    })
}
