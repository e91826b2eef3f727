//! Reads what an operation needs from Fineract, by external id, or by number if the external id was changed.

use super::{
    case::Case,
    check_books::check_books_before_absence,
    close::close,
    deps::Deps,
    expected_referent::{ExpectedReferent, is_expected},
    look_up::{look_up, number_means_another, number_unread},
    outcome::{database_away, refused_unsent},
};
use crate::{
    domain::{Facts, Lane, Outcome, Reads, ReferentKind},
    fineract::{ReadFailure, Shown},
};

/// Reads what an operation needs. If Fineract answers 404 to an external id, the back office may have changed the
/// external id. If an operator has confirmed the change, the gateway then reads the client or loan by the number
/// that is known for its lane.
///
/// An operation whose client or loan belongs to another lane is refused, because operations of two lanes might pay one
/// loan twice.
pub(super) async fn look_up_by_any_name(
    deps: &Deps,
    case: Case<'_>,
    reads: Reads,
) -> Result<Result<Facts, ReadFailure>, Outcome> {
    let read = look_up(deps, case, reads.clone(), false).await?;
    let answer = match &read {
        Ok(facts) => {
            if shows_another_lane(&case.by_sent_numbers(reads), facts) {
                return Err(close(deps, case, other_external_id(case)).await);
            }
            return Ok(read);
        }
        Err(ReadFailure::Refused(answer)) => answer,
        Err(_) => return Ok(read),
    };
    if answer.status != 404 {
        return Ok(read);
    }
    let reads_by_number = read_renamed_by_number(deps, case, reads.clone()).await?;
    if reads_by_number == reads {
        return Ok(read);
    }
    look_up(deps, case, reads_by_number, false).await
}

/// Whether a client or loan that was read by external id has an external id of another lane. The database of Fineract
/// may find `E-1` where `É-1` was asked for (`docs/fineract/clients.md`, "External ids").
fn shows_another_lane(reads: &Reads, facts: &Facts) -> bool {
    let client = facts.client.as_ref().filter(|_| reads.client_id.is_none());
    let client = client.map(|client| client.external_id.as_deref().map(Lane::client));
    let loan = facts.loan.as_ref().filter(|_| reads.loan_id.is_none());
    let loan = loan.map(|loan| loan.external_id.as_deref().map(Lane::loan));
    client.is_some_and(|shown| shown != reads.client.as_deref().map(Lane::client))
        || loan.is_some_and(|shown| shown != reads.loan.as_deref().map(Lane::loan))
}

/// The failure of an operation whose client or loan has an external id of another lane.
fn other_external_id(case: Case<'_>) -> Outcome {
    let message = "Not sent: the client or loan that Fineract finds has another external id, which Fineract's database \
                   does not distinguish from this one; send the external id exactly as Fineract shows it";
    let fails_dependents = (case.entry.fails_dependents)(&[]);
    refused_unsent("other_external_id", message.to_owned(), fails_dependents)
}

/// If the lane's client or loan has another external id now, adds the number of this client or loan to `reads`, so
/// that it is read by its number. `Err`: no operator has confirmed that the renamed client or loan is still the same,
/// or Fineract or the database could not be read.
async fn read_renamed_by_number(
    deps: &Deps,
    case: Case<'_>,
    mut reads: Reads,
) -> Result<Reads, Outcome> {
    let claimed = case.claimed;
    for (lane, number) in claimed.known_numbers() {
        let (kind, read_by) = match lane.split_once(':') {
            Some(("client", _)) => (ReferentKind::Client, &mut reads.client_id),
            Some(("loan", _)) => (ReferentKind::Loan, &mut reads.loan_id),
            Some(_) | None => continue,
        };
        check_books_before_absence(deps, claimed, true).await?;
        let shown = deps.fineract.shown_under(kind, number, None).await;
        let shown = shown.map_err(|failure| number_unread(deps, claimed, &failure))?;
        let name = match &shown {
            Shown::Nothing => continue,
            Shown::Named(name) => name.as_deref(),
        };
        if name.is_some_and(|name| Lane::is_named(lane, name)) {
            continue;
        }
        let is_expected = is_expected(deps, &ExpectedReferent::InLane(lane), number, name).await;
        if !is_expected.map_err(|error| database_away(claimed, &error))? {
            return Err(number_means_another(claimed));
        }
        *read_by = Some(number);
    }
    Ok(reads)
}
