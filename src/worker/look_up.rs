//! Reads what an operation needs from Fineract, by external id or by number.

use super::{
    case::Case,
    check_books::check_books_before_absence,
    deps::Deps,
    expected_referent::{ExpectedReferent, is_expected},
    outcome::{database_away, park, same_key_or_park},
};
use crate::{
    domain::{Facts, Outcome, Reads, ReferentKind},
    fineract::ReadFailure,
    store::Claimed,
    telemetry::metrics::count_alarm,
};

/// Reason code of an operation with a number that now refers to another object in Fineract.
pub(super) const NUMBER_MEANS_ANOTHER: &str = "number_means_another";

/// Reason code of an operation that waits because the object behind a number could not be read.
const UNREAD: &str = "number_unread";

/// Reads what an operation needs. If a command was already sent to a client or loan, the gateway reads this client or
/// loan by its number, and checks that the number still refers to the same client or loan. If `absent_is_a_finding` is
/// true, a missing client or loan is a result, not a failure.
pub(super) async fn look_up(
    deps: &Deps,
    case: Case<'_>,
    reads: Reads,
    absent_is_a_finding: bool,
) -> Result<Result<Facts, ReadFailure>, Outcome> {
    let claimed = case.claimed;
    let reads = case.by_sent_numbers(reads);
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
        let Some(expected) = ExpectedReferent::of(claimed, sent, kind, number) else {
            continue;
        };
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Sabotage::TrustsNumbers) {
            continue;
        }
        let is_expected = is_expected(deps, &expected, number, shown).await;
        if !is_expected.map_err(|error| database_away(claimed, &error))? {
            return Err(number_means_another(claimed));
        }
    }
    let is_missing = (reads.client_id.is_some() && facts.client.is_none())
        || (reads.loan_id.is_some() && facts.loan.is_none());
    check_books_before_absence(deps, claimed, is_missing).await?;
    Ok(Ok(facts))
}

/// Retries an operation because the object behind a number could not be read. Parks the operation if it has been
/// tried for too long.
pub(super) fn number_unread(deps: &Deps, claimed: &Claimed, failure: &ReadFailure) -> Outcome {
    tracing::debug!(operation.id = %claimed.id, ?failure, "the object behind a number could not be read; the operation is tried again");
    let outage = matches!(failure, ReadFailure::NoAnswer(_));
    same_key_or_park(deps, claimed, UNREAD, outage, None)
}

/// Parks an operation because a number now refers to another client or loan, and raises the alarm.
pub(super) fn number_means_another(claimed: &Claimed) -> Outcome {
    count_alarm(NUMBER_MEANS_ANOTHER);
    tracing::error!(
        operation.id = %claimed.id,
        operation.type = %claimed.operation_type,
        alarm = NUMBER_MEANS_ANOTHER,
        "a number in the command refers to another object in Fineract now; the operation is parked"
    );
    park(NUMBER_MEANS_ANOTHER)
}
