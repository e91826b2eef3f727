//! What somebody stopped, or its deadline.

use super::{Accepted, Books, Rule, Violation};

/// The gateway's codes of what was stopped, or fell with what was.
const STOPPED: [&str; 3] = ["cancelled", "expired", "behind_stopped"];

/// An operation that runs in the place of one that was stopped, though nobody named that.
pub(super) fn run_again(books: &Books, operation: &Accepted) -> Option<Violation> {
    let id = operation.in_place_of?;
    let stopped = books
        .operations
        .iter()
        .find(|stopped| stopped.id() == Some(id))?;
    let code = stopped.code.as_deref()?;
    STOPPED.contains(&code).then(|| {
        let detail = format!("in the place of {}, {code}", stopped.name());
        Violation::of(Rule::StoppedStaysStopped, operation, detail)
    })
}
