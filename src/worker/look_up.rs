//! Reading what an operation needs from Fineract, by external id or by number.

use super::{
    case::Case,
    check_books::check_books_of_missing,
    deps::Deps,
    meant::{Meant, is_meant},
    outcome::{database_away, park, same_key_or_park},
};
use crate::{
    domain::{Facts, Lane, Outcome, Reads, ReferentKind},
    fineract::{ReadFailure, Shown},
    store::Claimed,
    telemetry::metrics::count_alarm,
};

/// Why an operation is parked whose number means something else in Fineract than it did.
pub(super) const NUMBER_MEANS_ANOTHER: &str = "number_means_another";

/// Why an operation waits whose number could not be read about.
const UNREAD: &str = "number_unread";

/// Reads what an operation asks for, what a command of it went to by its number; what is found there must be what
/// it was.
pub(super) async fn look_up(
    deps: &Deps,
    case: Case<'_>,
    reads: Reads,
    absent_is_a_finding: bool,
) -> Result<Result<Facts, ReadFailure>, Outcome> {
    let claimed = case.claimed;
    let reads = case.addressed(reads);
    let facts = match deps.fineract.look_up(&reads, absent_is_a_finding).await {
        Ok(facts) => facts,
        Err(failure) => return Ok(Err(failure)),
    };
    let client = facts.client.as_ref();
    let client = client.map(|client| client.external_id.as_deref());
    let loan = facts.loan.as_ref();
    let loan = loan.map(|loan| loan.external_id.as_deref());
    for (kind, number, shown) in [
        (ReferentKind::Client, reads.client_id, client),
        (ReferentKind::Loan, reads.loan_id, loan),
    ] {
        let sent = case.history().last_that_reached_fineract();
        let (Some(number), Some(shown), Some(sent)) = (number, shown, sent) else {
            continue;
        };
        let Some(meant) = Meant::of(claimed, sent, kind, number) else {
            continue;
        };
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Sabotage::TrustsNumbers) {
            continue;
        }
        let is_meant = is_meant(deps, &meant, number, shown).await;
        if !is_meant.map_err(|error| database_away(claimed, &error))? {
            return Err(number_means_another(claimed));
        }
    }
    let is_missing = (reads.client_id.is_some() && facts.client.is_none())
        || (reads.loan_id.is_some() && facts.loan.is_none());
    check_books_of_missing(deps, claimed, is_missing).await?;
    Ok(Ok(facts))
}

/// Reads what an operation needs; what the back office has renamed, by its number, once an operator has confirmed
/// that. Fineract refuses to know the external id, which says nothing about what bears the number of its lane.
pub(super) async fn look_up_by_any_name(
    deps: &Deps,
    case: Case<'_>,
    reads: Reads,
) -> Result<Result<Facts, ReadFailure>, Outcome> {
    let read = look_up(deps, case, reads.clone(), false).await?;
    let Err(ReadFailure::Refused(answer)) = &read else {
        return Ok(read);
    };
    if answer.status != 404 {
        return Ok(read);
    }
    let renamed = renamed(deps, case, reads.clone()).await?;
    if renamed == reads {
        return Ok(read);
    }
    look_up(deps, case, renamed, false).await
}

/// What to read, by number where the lane's client or loan bears another external id now. `Err`: nobody has
/// confirmed that it is the same.
async fn renamed(deps: &Deps, case: Case<'_>, mut reads: Reads) -> Result<Reads, Outcome> {
    let claimed = case.claimed;
    for (lane, number) in claimed.known_numbers() {
        let (kind, read_by) = match lane.split_once(':') {
            Some(("client", _)) => (ReferentKind::Client, &mut reads.client_id),
            Some(("loan", _)) => (ReferentKind::Loan, &mut reads.loan_id),
            Some(_) | None => continue,
        };
        check_books_of_missing(deps, claimed, true).await?;
        let shown = deps.fineract.shown_under(kind, number, None).await;
        let shown = shown.map_err(|failure| number_unread(deps, claimed, &failure))?;
        let name = match &shown {
            Shown::Nothing => continue,
            Shown::Named(name) => name.as_deref(),
        };
        if name.is_some_and(|name| Lane::is_named(lane, name)) {
            continue;
        }
        let is_meant = is_meant(deps, &Meant::InLane(lane), number, name).await;
        if !is_meant.map_err(|error| database_away(claimed, &error))? {
            return Err(number_means_another(claimed));
        }
        *read_by = Some(number);
    }
    Ok(reads)
}

pub(super) fn number_unread(deps: &Deps, claimed: &Claimed, failure: &ReadFailure) -> Outcome {
    tracing::debug!(operation.id = %claimed.id, ?failure, "what a number means could not be read");
    let outage = matches!(failure, ReadFailure::NoAnswer(_));
    same_key_or_park(deps, claimed, UNREAD, outage, None)
}

/// Parks an operation whose number has come to mean another client or loan, and raises the alarm.
pub(super) fn number_means_another(claimed: &Claimed) -> Outcome {
    count_alarm(NUMBER_MEANS_ANOTHER);
    tracing::error!(
        operation.id = %claimed.id,
        operation.type = %claimed.operation_type,
        alarm = NUMBER_MEANS_ANOTHER,
        "a number in the command means another client, loan, product, charge, payment type or office in Fineract now"
    );
    park(NUMBER_MEANS_ANOTHER)
}
