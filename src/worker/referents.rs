//! Checks, before a command is sent again, that the numbers in it still refer to the same objects.

use super::{
    case::Case,
    check_books::check_books_before_absence,
    deps::Deps,
    evidence::find_effect,
    expected_referent::{ExpectedReferent, is_expected},
    look_up::{number_means_another, number_unread},
    outcome::{database_away, park},
    succeed::succeeded_by_evidence,
};
use crate::{
    domain::{Attempt, Outcome, ReferentKind, decision::Finding},
    fineract::Shown,
    store::Claimed,
};

/// Reason code of an operation with a command that refers to an object which no longer exists in Fineract.
const SUBJECT_IS_GONE: &str = "subject_is_gone";

/// What the numbers in a command refer to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReferentCheck {
    /// Each number still refers to the same object.
    Same,
    /// Fineract has no object under one of the numbers.
    Gone(ReferentKind),
    /// One of the numbers refers to another object.
    Different,
}

/// Ensures, before a command is sent again, that the numbers in it still refer to the same objects. `Err`: do not
/// send the command.
pub(super) async fn require_same_referents(
    deps: &Deps,
    case: Case<'_>,
    attempt: &Attempt,
) -> Result<(), Outcome> {
    match check_referents(deps, case.claimed, attempt).await? {
        ReferentCheck::Same => Ok(()),
        ReferentCheck::Different => Err(number_means_another(case.claimed)),
        ReferentCheck::Gone(kind) => {
            check_books_before_absence(deps, case.claimed, true).await?;
            if case.entry.leaves_nothing
                && kind == ReferentKind::Loan
                && let (Finding::Ours, evidence) = find_effect(deps, case).await?
            {
                return Err(succeeded_by_evidence(deps, case, evidence).await);
            }
            Err(park(SUBJECT_IS_GONE))
        }
    }
}

/// Reads what the numbers in an attempt's command refer to now. `Err`: Fineract or the database could not be read.
pub(super) async fn check_referents(
    deps: &Deps,
    claimed: &Claimed,
    attempt: &Attempt,
) -> Result<ReferentCheck, Outcome> {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::TrustsNumbers) {
        return Ok(ReferentCheck::Same);
    }
    let numbers = attempt.request.numbers();
    let product = numbers
        .iter()
        .find(|(kind, _)| *kind == ReferentKind::Product)
        .map(|(_, number)| *number);
    for (kind, number) in numbers {
        let Some(expected) = ExpectedReferent::of(claimed, attempt, kind, number) else {
            continue;
        };
        let shown = deps.fineract.shown_under(kind, number, product).await;
        let shown = shown.map_err(|failure| number_unread(deps, claimed, &failure))?;
        let check = match shown {
            Shown::Nothing => ReferentCheck::Gone(kind),
            Shown::Named(name) => {
                let is_same = is_expected(deps, &expected, number, name.as_deref()).await;
                if is_same.map_err(|error| database_away(claimed, &error))? {
                    continue;
                }
                ReferentCheck::Different
            }
        };
        return Ok(check);
    }
    Ok(ReferentCheck::Same)
}
