//! What a number in a command meant when that was planned.

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

/// What a number meant.
#[derive(Clone, Debug)]
pub(super) enum Meant<'a> {
    /// What bore this external id or name, and its lane, where it has one.
    Named { name: &'a str, lane: Option<String> },
    /// What the operation's lane is of: an older gateway kept no name.
    InLane(&'a str),
}

impl<'a> Meant<'a> {
    /// What a number meant when the attempt was sent, as far as that was kept.
    pub(super) fn of(
        claimed: &'a Claimed,
        attempt: &'a Attempt,
        kind: ReferentKind,
        number: i64,
    ) -> Option<Self> {
        let is_it = |known: &&Referent| known.kind == kind && known.number == number;
        if let Some(known) = attempt.referents.iter().find(is_it) {
            return Some(Self::Named {
                name: &known.name,
                lane: lane_of(kind, &known.name).map(|lane| lane.to_string()),
            });
        }
        // Nothing has a lane of its own but clients and loans.
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

/// Whether what Fineract shows under a number, or answers about it, is what was meant, as it was or as an operator
/// has confirmed.
pub(super) async fn is_meant(
    deps: &Deps,
    meant: &Meant<'_>,
    number: i64,
    shown: Option<&str>,
) -> Result<bool, StoreError> {
    let Some(shown) = shown else {
        return Ok(false);
    };
    let (is_same, lane) = match meant {
        Meant::Named { name, lane } => (shown == *name, lane.as_deref()),
        Meant::InLane(lane) => (Lane::is_named(lane, shown), Some(*lane)),
    };
    match lane {
        Some(lane) if !is_same => deps.store.is_confirmed(lane, number, shown).await,
        Some(_) | None => Ok(is_same),
    }
}

/// Whether a success names another external id than the client or loan had to which it was sent by number: the
/// books may have become others on its way.
pub(super) async fn is_about_another(
    deps: &Deps,
    case: Case<'_>,
    request: &Request,
    success: &str,
) -> Result<bool, Outcome> {
    let Some((kind, number, name)) = request.answered_name(success) else {
        return Ok(false);
    };
    let sent = case.history().last_that_reached_fineract();
    let meant = sent.and_then(|sent| Meant::of(case.claimed, sent, kind, number));
    let Some(meant) = meant else {
        return Ok(false);
    };
    let is_meant = is_meant(deps, &meant, number, Some(&name)).await;
    let is_meant = is_meant.map_err(|error| database_away(case.claimed, &error))?;
    Ok(!is_meant)
}

/// Leaves an operation to a person that was done to another client or loan, and raises the alarm.
pub(super) fn answer_about_another(claimed: &Claimed) -> Outcome {
    count_alarm(ANSWER_ABOUT_ANOTHER);
    tracing::error!(
        operation.id = %claimed.id,
        operation.type = %claimed.operation_type,
        alarm = ANSWER_ABOUT_ANOTHER,
        "Fineract answered about another client or loan than it was asked about"
    );
    park(ANSWER_ABOUT_ANOTHER)
}
