//! Reads in Fineract whether an operation had its effect, and decides from the finding what happens next.

use super::{
    case::Case,
    deps::Deps,
    look_up::look_up,
    outcome::{park, same_key_or_park},
};
use crate::{
    domain::{
        Outcome,
        decision::{self, Circumstances, Finding, Question, ReadingDecision},
    },
    fineract::ReadFailure,
    operations::Evidence,
};

/// Reads in Fineract whether the effect of the operation exists, and whether this operation made the effect. `Err`:
/// Fineract or the payload could not be read, or a number refers to another object now.
pub(super) async fn find_effect(
    deps: &Deps,
    case: Case<'_>,
) -> Result<(Finding, Evidence), Outcome> {
    let unreadable = |_| park("payload_unreadable");
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::NoReconcile) {
        return Ok((Finding::Absent, Evidence::Absent));
    }
    let claimed = case.claimed;
    let reads = (case.entry.evidence_reads)(&claimed.payload, &deps.deployment, claimed.id)
        .map_err(unreadable)?;
    let facts = look_up(deps, case, reads, true).await?.map_err(|failure| {
        tracing::debug!(operation.id = %claimed.id, ?failure, "the evidence could not be read; the operation is tried again");
        let outage = matches!(failure, ReadFailure::NoAnswer(_));
        same_key_or_park(deps, claimed, "evidence_unread", outage, None)
    })?;
    let evidence =
        (case.entry.evidence)(&claimed.payload, &facts, &case.context(deps)).map_err(unreadable)?;
    if matches!(evidence, Evidence::Ours(_))
        && case.entry.leaves_nothing
        && !has_run_since_first_send(deps, case).await
    {
        let reason_code = "absent_after_a_restart";
        return Ok((Finding::CannotTell, Evidence::CannotTell(reason_code)));
    }
    let finding = match &evidence {
        // The effect existed before anything was sent, so it is no evidence that a command was executed.
        Evidence::Ours(_) if case.history().effect_preexisted() => Finding::Absent,
        Evidence::Ours(_) => Finding::Ours,
        Evidence::NotOurs(_) => Finding::NotOurs,
        Evidence::Absent => Finding::Absent,
        Evidence::Changed(_) | Evidence::CannotTell(_) => Finding::CannotTell,
    };
    Ok((finding, evidence))
}

/// Decides by the finding, the history and the uptime of Fineract.
pub(super) async fn decide_by_finding(
    deps: &Deps,
    case: Case<'_>,
    question: Question,
    finding: Finding,
) -> ReadingDecision {
    let mut history = case.history();
    if history.may_still_run() {
        history = history.up_for(deps.fineract.uptime().await);
    }
    let circumstances = Circumstances {
        others_succeeded: deps.succeeded_within(history.failing_for()),
        late_command_harmless: case.entry.command().late_copy_is_harmless(),
    };
    decision::decide_reading(question, finding, &history, circumstances)
}

/// The reason code for parking an operation: the code in `CannotTell`, the fixed code `created_with_other_values` for
/// `Changed`, or else `reason_code`.
pub(super) fn park_reason(reason_code: &'static str, evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::CannotTell(reason_code) => reason_code,
        Evidence::Changed(_) => "created_with_other_values",
        Evidence::Ours(_) | Evidence::NotOurs(_) | Evidence::Absent => reason_code,
    }
}

/// Whether this database was restored and may have forgotten an attempt.
pub(super) fn may_have_forgotten_attempts(case: Case<'_>) -> bool {
    case.claimed.forgotten_for.is_some()
}

/// Whether Fineract has run without a restart since the operation was first sent. If so, Fineract was not restored in
/// that time, and a loan that is missing now was deleted.
async fn has_run_since_first_send(deps: &Deps, case: Case<'_>) -> bool {
    let ages = case.attempts.iter().map(|attempt| attempt.age);
    let age = ages.max().unwrap_or_default();
    deps.fineract.has_run_for(case.claimed.age_now(age)).await
}
