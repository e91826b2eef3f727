//! Decides what happens to an operation whose reads failed.

use super::{
    case::Case,
    check_books::check_books_before_absence,
    close::close,
    deps::Deps,
    outcome::{refused, retry, same_key_or_park},
    suspect::suspect,
};
use crate::{
    domain::{
        Answer, Failure, Outcome, Reply,
        decision::{self, Decision, History, Scope},
    },
    fineract::{ReadFailure, Subject},
};

/// Decides what happens to an operation whose reads failed: the operation is refused, retried or parked, or its scope
/// is blocked.
pub(super) async fn read_failed(deps: &Deps, case: Case<'_>, failure: ReadFailure) -> Outcome {
    let claimed = case.claimed;
    let answer = match failure {
        ReadFailure::NoAnswer(Failure::NotSent | Failure::NotConnected) => {
            return retry(claimed, "fineract_unreachable", None);
        }
        ReadFailure::NoAnswer(Failure::TimedOut | Failure::Closed) => {
            return retry(claimed, "read_unanswered", None);
        }
        ReadFailure::Missing(Subject::PaymentType) => {
            return suspect(deps, claimed, Scope::Type, "payment_type_missing", false).await;
        }
        ReadFailure::Missing(_) => {
            return suspect(deps, claimed, Scope::Lender, "product_missing", false).await;
        }
        // The answer was truncated, or came from a proxy. Another read may succeed.
        ReadFailure::Unreadable(_) => {
            return same_key_or_park(deps, claimed, "read_unreadable", false, None);
        }
        ReadFailure::Refused(answer) => answer,
    };
    let reply = Reply::Answer(answer.clone());
    match decision::decide(&reply, &History::new(&[]), deps.settings.patience) {
        // Fineract does not know the client or loan, or does not accept its external id.
        Decision::Refused => refused_by_read(deps, case, &answer).await,
        Decision::Suspect { scope, reason_code } => {
            suspect(deps, claimed, scope, reason_code, false).await
        }
        Decision::SameKey {
            reason_code,
            outage,
        } => same_key_or_park(deps, claimed, reason_code, outage, answer.retry_after),
        Decision::Succeeded
        | Decision::Read(_)
        | Decision::AwaitChecker
        | Decision::Rejected
        | Decision::Park { .. } => same_key_or_park(deps, claimed, "read_failed", false, None),
    }
}

/// Ends the operation with Fineract's refusal. If the gateway knows the number of the missing client or loan, the
/// gateway checks the books first.
async fn refused_by_read(deps: &Deps, case: Case<'_>, answer: &Answer) -> Outcome {
    let is_known = answer.status == 404 && case.knows_a_number();
    match check_books_before_absence(deps, case.claimed, is_known).await {
        Ok(()) => close(deps, case, refused(answer, case.entry)).await,
        Err(outcome) => outcome,
    }
}
