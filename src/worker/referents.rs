//! Before a command is sent again: whether the numbers in it still mean what they meant when it was planned.

use super::{
    case::Case,
    check_books::check_books_of_missing,
    deps::Deps,
    find::find,
    look_up::{number_means_another, number_unread},
    meant::{Meant, is_meant},
    outcome::{database_away, park},
    succeed::succeeded_by,
};
use crate::{
    domain::{Attempt, Outcome, ReferentKind, decision::Finding},
    fineract::Shown,
    store::Claimed,
};

/// Why an operation is parked that was sent to what is not there any more.
const SUBJECT_IS_GONE: &str = "subject_is_gone";

/// What reading said about the numbers in a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// They mean what they meant.
    Same,
    /// One means nothing now: Fineract has its own 404 for it.
    Gone(ReferentKind),
    /// One means something else.
    Another,
}

/// Reads what the numbers in the command of an attempt mean now. `Err`: that cannot be known now.
pub(super) async fn meaning_of(
    deps: &Deps,
    claimed: &Claimed,
    attempt: &Attempt,
) -> Result<Meaning, Outcome> {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::TrustsNumbers) {
        return Ok(Meaning::Same);
    }
    let numbers = attempt.request.numbers();
    let product = numbers
        .iter()
        .find(|(kind, _)| *kind == ReferentKind::Product)
        .map(|(_, number)| *number);
    for (kind, number) in numbers {
        let Some(meant) = Meant::of(claimed, attempt, kind, number) else {
            continue;
        };
        let shown = deps.fineract.shown_under(kind, number, product).await;
        let shown = shown.map_err(|failure| number_unread(deps, claimed, &failure))?;
        let meaning = match shown {
            Shown::Nothing => Meaning::Gone(kind),
            Shown::Named(name) => {
                let is_same = is_meant(deps, &meant, number, name.as_deref()).await;
                if is_same.map_err(|error| database_away(claimed, &error))? {
                    continue;
                }
                Meaning::Another
            }
        };
        return Ok(meaning);
    }
    Ok(Meaning::Same)
}

/// Makes sure, before a command is sent again, that its numbers mean what they meant. `Err`: it is not to be
/// sent.
pub(super) async fn still_means(
    deps: &Deps,
    case: Case<'_>,
    attempt: &Attempt,
) -> Result<(), Outcome> {
    match meaning_of(deps, case.claimed, attempt).await? {
        Meaning::Same => Ok(()),
        Meaning::Another => Err(number_means_another(case.claimed)),
        Meaning::Gone(kind) => {
            check_books_of_missing(deps, case.claimed, true).await?;
            if case.entry.leaves_nothing
                && kind == ReferentKind::Loan
                && let (Finding::Ours, evidence) = find(deps, case).await?
            {
                return Err(succeeded_by(deps, case, evidence).await);
            }
            Err(park(SUBJECT_IS_GONE))
        }
    }
}
