//! The object to which a number in a command referred when the command was planned.

use super::{
    case::Case,
    deps::Deps,
    outcome::{database_away, park},
};
use crate::{
    domain::{
        Attempt, Lane, Outcome, Referent, ReferentKind, Request, decision::ANSWER_ABOUT_ANOTHER,
    },
    store::{Claimed, StoreError},
    telemetry::metrics::count_alarm,
};

/// The object to which a number referred when its command was planned.
#[derive(Clone, Debug)]
pub(super) enum ExpectedReferent<'a> {
    /// The object with this external id or name. A client or loan also has a lane.
    Named { name: &'a str, lane: Option<String> },
    /// The client or loan of this lane. Used if no name is stored, for example for an attempt of an older gateway.
    InLane(&'a str),
}

impl<'a> ExpectedReferent<'a> {
    /// The object to which the number referred when the attempt was sent, or `None` if the gateway does not know
    /// it.
    pub(super) fn of(
        claimed: &'a Claimed,
        attempt: &'a Attempt,
        kind: ReferentKind,
        number: i64,
    ) -> Option<Self> {
        let is_same = |referent: &&Referent| referent.kind == kind && referent.number == number;
        if let Some(referent) = attempt.referents.iter().find(is_same) {
            return Some(Self::Named {
                name: &referent.name,
                lane: lane_of(kind, &referent.name).map(|lane| lane.to_string()),
            });
        }
        // Only clients and loans have lanes.
        let prefix = match kind {
            ReferentKind::Client => "client:",
            ReferentKind::Loan => "loan:",
            ReferentKind::Product
            | ReferentKind::Charge
            | ReferentKind::PaymentType
            | ReferentKind::Office => return None,
        };
        let read = claimed
            .lane_entries
            .read
            .as_ref()
            .map(|(lane, _)| lane.as_str());
        let mut lanes = [Some(claimed.lane_entries.lane.as_str()), read].into_iter();
        let lane = lanes.find_map(|lane| lane.filter(|lane| lane.starts_with(prefix)));
        lane.map(Self::InLane)
    }
}

/// Whether Fineract shows the expected object under a number: with the same name, or with another name that an
/// operator has confirmed.
pub(super) async fn is_expected(
    deps: &Deps,
    expected: &ExpectedReferent<'_>,
    number: i64,
    shown: Option<&str>,
) -> Result<bool, StoreError> {
    let Some(shown) = shown else {
        return Ok(false);
    };
    let (is_same, lane) = match expected {
        ExpectedReferent::Named { name, lane } => (shown == *name, lane.as_deref()),
        ExpectedReferent::InLane(lane) => (Lane::is_named(lane, shown), Some(*lane)),
    };
    match lane {
        Some(lane) if !is_same => deps.store.is_confirmed(lane, number, shown).await,
        Some(_) | None => Ok(is_same),
    }
}

/// Whether a success names another client or loan than the one to which the command was sent. This can happen if
/// Fineract's books were replaced while the command was on its way.
pub(super) async fn is_answer_about_another(
    deps: &Deps,
    case: Case<'_>,
    request: &Request,
    success: &str,
) -> Result<bool, Outcome> {
    let Some((kind, number, name)) = request.answered_name(success) else {
        return Ok(false);
    };
    let sent = case.history().last_that_reached_fineract();
    let expected = sent.and_then(|sent| ExpectedReferent::of(case.claimed, sent, kind, number));
    let Some(expected) = expected else {
        return Ok(false);
    };
    let is_expected = is_expected(deps, &expected, number, Some(&name)).await;
    let is_expected = is_expected.map_err(|error| database_away(case.claimed, &error))?;
    Ok(!is_expected)
}

/// Parks an operation whose command took effect on another client or loan, and raises the alarm.
pub(super) fn answer_about_another(claimed: &Claimed) -> Outcome {
    count_alarm(ANSWER_ABOUT_ANOTHER);
    tracing::error!(
        operation.id = %claimed.id,
        operation.type = %claimed.operation_type,
        alarm = ANSWER_ABOUT_ANOTHER,
        "Fineract answered about another client or loan than the one in the command; the operation is parked"
    );
    park(ANSWER_ABOUT_ANOTHER)
}

fn lane_of(kind: ReferentKind, external_id: &str) -> Option<Lane> {
    match kind {
        ReferentKind::Client => Some(Lane::client(external_id)),
        ReferentKind::Loan => Some(Lane::loan(external_id)),
        ReferentKind::Product
        | ReferentKind::Charge
        | ReferentKind::PaymentType
        | ReferentKind::Office => None,
    }
}
