//! The judge compares the records of a round and reports violations. It does no I/O, and does not know the round's
//! plan.

mod books;
mod effects;
mod lanes;
mod stopped;
#[cfg(test)]
mod tests;
mod transactions;

use std::fmt;

pub(super) use self::books::{Accepted, Books, Effect, OTHER_WRITER, Resource, Status};

/// A rule that every round must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rule {
    /// An accepted operation ends, is parked, or waits behind a parked operation.
    NothingIsLost,
    /// An operation is parked only if a card of the round justifies it.
    ParkedForCause,
    /// A successful operation has an effect.
    SuccessHasEffect,
    /// No operation has two effects.
    OneEffect,
    /// An effect has the requested values.
    EffectAsRequested,
    /// A failed operation has no effect.
    FailureHasNoEffect,
    /// Every effect belongs to an accepted operation or to another writer.
    EffectsAreAccepted,
    /// The effects in a lane occur in the order of acceptance.
    OrderOfAcceptance,
    /// The dependents of a failed operation fail without being sent.
    DependentsFail,
    /// The gateway never disburses more than was approved.
    NotOverpaid,
    /// The end of an operation never changes.
    EndsAreFinal,
    /// One `Idempotency-Key` of a caller creates only one operation.
    OneOperationPerKey,
    /// The transactions API never takes back an end that it has reported.
    ReportedEndIsFinal,
    /// A retry of all failed rows does not run operations that were cancelled or expired.
    StoppedStaysStopped,
    /// A create does not fail because of an earlier failure in the lane that the create writes.
    CreatesAreIndependent,
    /// Every gateway answers after all disturbances have ended.
    GatewaysAnswer,
    /// A gateway sends nothing to a Fineract if the numbers in the database belong to another Fineract.
    OneFineract,
    /// No attempt is begun while everything is on hold.
    HoldsAreKept,
    /// Everything that ended, was parked or resumed has its events, with numbers in the order of the lane.
    EventsAreComplete,
    /// Every event is delivered to the webhook of its owner, signed, as it was, and in the order of its lane.
    WebhooksTell,
}

impl Rule {
    /// Every rule.
    pub(super) const ALL: [Self; 20] = [
        Self::NothingIsLost,
        Self::ParkedForCause,
        Self::SuccessHasEffect,
        Self::OneEffect,
        Self::EffectAsRequested,
        Self::FailureHasNoEffect,
        Self::EffectsAreAccepted,
        Self::OrderOfAcceptance,
        Self::DependentsFail,
        Self::NotOverpaid,
        Self::EndsAreFinal,
        Self::OneOperationPerKey,
        Self::ReportedEndIsFinal,
        Self::StoppedStaysStopped,
        Self::CreatesAreIndependent,
        Self::GatewaysAnswer,
        Self::OneFineract,
        Self::HoldsAreKept,
        Self::EventsAreComplete,
        Self::WebhooksTell,
    ];
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NothingIsLost => "accepted → ended or parked",
            Self::ParkedForCause => "parked only for a reason",
            Self::SuccessHasEffect => "success → an effect",
            Self::OneEffect => "never a second effect",
            Self::EffectAsRequested => "the effect has the requested values",
            Self::FailureHasNoEffect => "failed → no effect",
            Self::EffectsAreAccepted => "no effect without an operation",
            Self::OrderOfAcceptance => "a lane keeps the order of acceptance",
            Self::DependentsFail => "dependents of a failure are not sent",
            Self::NotOverpaid => "never more disbursed than approved",
            Self::EndsAreFinal => "an end never changes",
            Self::OneOperationPerKey => "one Idempotency-Key, one operation",
            Self::ReportedEndIsFinal => "a reported end is never taken back",
            Self::StoppedStaysStopped => "a stopped row runs again only if named",
            Self::CreatesAreIndependent => "a failure does not fail a later create",
            Self::GatewaysAnswer => "every gateway answers",
            Self::OneFineract => "nothing is sent to another Fineract",
            Self::HoldsAreKept => "nothing on hold is sent",
            Self::EventsAreComplete => "each end has its event, in order",
            Self::WebhooksTell => "each event is delivered, in order",
        })
    }
}

/// A violation if the second Fineract of the card `OtherFineract` has effects.
pub(super) fn sent_elsewhere(effects: usize) -> Option<Violation> {
    (effects > 0).then(|| Violation {
        rule: Rule::OneFineract,
        subject: "a gateway pointed to another Fineract".to_owned(),
        detail: format!("{effects} effects there"),
    })
}

/// A violated rule, with its subject and the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The rule.
    pub(super) rule: Rule,
    /// The operation, lane or gateway concerned.
    pub(super) subject: String,
    /// What the records show.
    pub(super) detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.subject, self.detail)
    }
}

impl Violation {
    fn of(rule: Rule, operation: &Accepted, detail: impl Into<String>) -> Self {
        Self {
            rule,
            subject: format!("{} ({})", operation.name(), operation.lane),
            detail: detail.into(),
        }
    }
}

/// All violations in the records of a round, except those that [`sent_elsewhere`] reports.
pub(super) fn judge(books: &Books) -> Vec<Violation> {
    let mut violations = Vec::new();
    for operation in &books.operations {
        violations.extend(one_operation(operation));
        violations.extend(final_end(operation));
        violations.extend(transactions::changed_end(operation));
        violations.extend(stopped::retried_unnamed(books, operation));
        violations.extend(lanes::create_failed_as_dependent(books, operation));
        violations.extend(effects::of_operation(books, operation));
    }
    violations.extend(effects::without_operation(books));
    violations.extend(effects::different_at_the_end(books));
    violations.extend(effects::overpaid(books));
    violations.extend(lanes::lost(books));
    violations.extend(lanes::out_of_order(books));
    violations.extend(lanes::succeeded_dependents(books));
    violations.extend(books.unanswered.iter().map(|what| Violation {
        rule: Rule::GatewaysAnswer,
        subject: what.clone(),
        detail: "no answer".to_owned(),
    }));
    violations.extend(books.sent_on_hold.iter().map(|what| Violation {
        rule: Rule::HoldsAreKept,
        subject: what.clone(),
        detail: "it was begun while everything was on hold".to_owned(),
    }));
    violations.extend(books.wrong_events.iter().map(|what| Violation {
        rule: Rule::EventsAreComplete,
        subject: what.clone(),
        detail: "its events do not tell what happened".to_owned(),
    }));
    violations.extend(books.wrongly_told.iter().map(|what| Violation {
        rule: Rule::WebhooksTell,
        subject: what.clone(),
        detail: "the receiver's book differs from the events".to_owned(),
    }));
    violations
}

/// Whether every operation has ended, is parked, or waits behind a parked operation.
pub(super) fn is_quiescent(books: &Books) -> bool {
    lanes::lost(books).is_empty()
}

fn one_operation(operation: &Accepted) -> Option<Violation> {
    let first = operation.tracking_ids.first()?;
    let other = operation.tracking_ids.iter().find(|id| *id != first)?;
    let detail = format!("its key was also answered with {other}");
    Some(Violation::of(Rule::OneOperationPerKey, operation, detail))
}

/// A violation if the readings of the operation's end are not all identical.
pub(super) fn final_end(operation: &Accepted) -> Option<Violation> {
    let first = operation.readings.first()?;
    let other = operation
        .readings
        .iter()
        .find(|reading| *reading != first)?;
    let detail = format!("first {first}, then {other}");
    Some(Violation::of(Rule::EndsAreFinal, operation, detail))
}
