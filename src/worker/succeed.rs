//! Ends an operation as succeeded.

use super::{
    case::Case,
    deps::Deps,
    expected_referent::{answer_about_another, is_answer_about_another},
    outcome::park,
};
use crate::{
    domain::{End, Outcome, ResourceId},
    operations::Evidence,
    telemetry::metrics::count_alarm,
};

/// Ends the operation with the success that Fineract answered.
pub(super) async fn succeeded_by_answer(deps: &Deps, case: Case<'_>) -> Outcome {
    let history = case.history();
    let (Some(answer), Some(request)) = (history.success(), history.request()) else {
        return park("unclassified_answer");
    };
    match is_answer_about_another(deps, case, request, &answer.body).await {
        Ok(false) => {}
        Ok(true) => return answer_about_another(case.claimed),
        Err(outcome) => return outcome,
    }
    deps.note_success();
    check_after_success(deps, case).await;
    Outcome::End(End::Succeeded {
        // A number from other books is not valid in the current books.
        resource_id: if case.was_sent_to_other_books() {
            ResourceId::Unchanged
        } else {
            request.learned_id(&answer.body)
        },
        body: answer.body.clone(),
    })
}

/// Ends the operation with the success that the evidence shows.
pub(super) async fn succeeded_by_evidence(
    deps: &Deps,
    case: Case<'_>,
    evidence: Evidence,
) -> Outcome {
    let Evidence::Ours(body) = evidence else {
        return park("evidence_cannot_tell");
    };
    check_after_success(deps, case).await;
    let learned = case
        .history()
        .request()
        .map(|request| request.learned_id(&body));
    Outcome::End(End::Succeeded {
        resource_id: learned.unwrap_or_default(),
        body,
    })
}

/// Reads the changed loan once more after a success, and raises an alarm if the loan's state is wrong. If the read
/// fails, the state is not checked.
pub(super) async fn check_after_success(deps: &Deps, case: Case<'_>) {
    let claimed = case.claimed;
    let Ok(Some(reads)) = (case.entry.reads_after)(&claimed.payload, &deps.deployment) else {
        return;
    };
    match deps
        .fineract
        .look_up(&case.by_sent_numbers(reads), true)
        .await
    {
        Ok(facts) => {
            if let Some(alarm) = (case.entry.alarm)(&facts) {
                count_alarm(alarm);
                tracing::error!(
                    operation.id = %claimed.id,
                    operation.type = %claimed.operation_type,
                    alarm,
                    "the operation succeeded, but the state of the loan in Fineract is wrong"
                );
            }
        }
        Err(failure) => {
            tracing::debug!(operation.id = %claimed.id, ?failure, "the loan could not be read after a success; its state is not checked");
        }
    }
}
