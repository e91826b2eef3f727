//! Ending an operation with its success.

use super::{
    case::Case,
    deps::Deps,
    meant::{answer_about_another, is_about_another},
    outcome::park,
};
use crate::{
    domain::{End, Outcome, ResourceId},
    operations::Evidence,
    telemetry::metrics::count_alarm,
};

/// Ends it with the success that an attempt was answered.
pub(super) async fn succeeded(deps: &Deps, case: Case<'_>) -> Outcome {
    let history = case.history();
    let (Some(answer), Some(request)) = (history.success(), history.request()) else {
        return park("unclassified_answer");
    };
    match is_about_another(deps, case, request, &answer.body).await {
        Ok(false) => {}
        Ok(true) => return answer_about_another(case.claimed),
        Err(outcome) => return outcome,
    }
    deps.note_success();
    look_after(deps, case).await;
    Outcome::End(End::Succeeded {
        // A number of other books means nothing in these.
        resource_id: if case.is_of_other_books() {
            ResourceId::Unchanged
        } else {
            request.learned_id(&answer.body)
        },
        body: answer.body.clone(),
    })
}

/// Reads once more what an operation changed that has succeeded, and raises the alarm where something
/// is wrong all the same. What cannot be read now changes nothing.
pub(super) async fn look_after(deps: &Deps, case: Case<'_>) {
    let claimed = case.claimed;
    let Ok(Some(reads)) = (case.entry.reads_after)(&claimed.payload, &deps.deployment) else {
        return;
    };
    match deps.fineract.look_up(&case.addressed(reads), true).await {
        Ok(facts) => {
            if let Some(alarm) = (case.entry.alarm)(&facts) {
                count_alarm(alarm);
                tracing::error!(
                    operation.id = %claimed.id,
                    operation.type = %claimed.operation_type,
                    alarm,
                    "the operation succeeded, but Fineract's books are not as they should be"
                );
            }
        }
        Err(failure) => {
            tracing::debug!(operation.id = %claimed.id, ?failure, "what a success left behind could not be read");
        }
    }
}

/// Ends it with the success that was read.
pub(super) async fn succeeded_by(deps: &Deps, case: Case<'_>, evidence: Evidence) -> Outcome {
    let Evidence::Ours(body) = evidence else {
        return park("evidence_cannot_tell");
    };
    look_after(deps, case).await;
    let learned = case
        .history()
        .request()
        .map(|request| request.learned_id(&body));
    Outcome::End(End::Succeeded {
        resource_id: learned.unwrap_or_default(),
        body,
    })
}
