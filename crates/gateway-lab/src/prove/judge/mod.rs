//! The judge: compares the three books, and knows nothing of how they came about. Pure.

mod books;
mod effects;
mod lanes;
mod stopped;
#[cfg(test)]
mod tests;
mod told;

use std::fmt;

pub(super) use self::books::{Accepted, Books, Effect, OTHER, Standing, Thing};

/// A promise that was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rule {
    /// Accepted means ended, or parked.
    NothingIsLost,
    /// Parked only where a fault leaves no other way.
    ParkedForCause,
    /// Success means an effect.
    SuccessHasItsEffect,
    /// No operation has two effects.
    OneEffect,
    /// The effect is what was asked for.
    OurValues,
    /// Failed means no effect.
    FailureHasNone,
    /// Every effect is an operation's that was accepted.
    EffectsAreAccepted,
    /// A lane's effects come in the order of acceptance.
    OrderOfAcceptance,
    /// What rests on a failed one fails, unsent.
    FallsWithIt,
    /// No more is paid out than was approved.
    NotOverpaid,
    /// Ended never changes.
    EndsAreFinal,
    /// The same `Idempotency-Key` brings in one operation.
    OneOperationAKey,
    /// An end that was told of a transaction is its end.
    ToldIsNeverUntold,
    /// What somebody, or its deadline, stopped is run again only when it is named.
    StoppedStaysStopped,
    /// A create does not fail with what failed before it in its own lane.
    CreatesStandAlone,
    /// Every gateway answers, once nothing goes wrong any more.
    GatewaysAnswer,
    /// Nothing is sent to another Fineract than the one that the numbers come from.
    OneFineract,
    /// Nothing is sent while everything is on hold.
    HoldsHold,
}

impl Rule {
    /// Every rule.
    pub(super) const ALL: [Self; 18] = [
        Self::NothingIsLost,
        Self::ParkedForCause,
        Self::SuccessHasItsEffect,
        Self::OneEffect,
        Self::OurValues,
        Self::FailureHasNone,
        Self::EffectsAreAccepted,
        Self::OrderOfAcceptance,
        Self::FallsWithIt,
        Self::NotOverpaid,
        Self::EndsAreFinal,
        Self::OneOperationAKey,
        Self::ToldIsNeverUntold,
        Self::StoppedStaysStopped,
        Self::CreatesStandAlone,
        Self::GatewaysAnswer,
        Self::OneFineract,
        Self::HoldsHold,
    ];
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NothingIsLost => "accepted → ended or parked",
            Self::ParkedForCause => "parked only for a cause",
            Self::SuccessHasItsEffect => "success → an effect",
            Self::OneEffect => "never a second effect",
            Self::OurValues => "the effect is what was asked for",
            Self::FailureHasNone => "failed → no effect",
            Self::EffectsAreAccepted => "no effect without an operation",
            Self::OrderOfAcceptance => "a lane keeps the injection of acceptance",
            Self::FallsWithIt => "what rests on a failed one is not sent",
            Self::NotOverpaid => "never more disbursed than approved",
            Self::EndsAreFinal => "ended never changes",
            Self::OneOperationAKey => "one Idempotency-Key, one operation",
            Self::ToldIsNeverUntold => "a told end is never untold",
            Self::StoppedStaysStopped => "what was stopped runs only if named",
            Self::CreatesStandAlone => "no create fails with what is before it",
            Self::GatewaysAnswer => "every gateway answers",
            Self::OneFineract => "nothing is sent to another Fineract",
            Self::HoldsHold => "nothing on hold is sent",
        })
    }
}

/// That there are effects in another Fineract.
pub(super) fn sent_elsewhere(effects: usize) -> Option<Violation> {
    (effects > 0).then(|| Violation {
        rule: Rule::OneFineract,
        subject: "a gateway before another Fineract".to_owned(),
        detail: format!("{effects} effects there"),
    })
}

/// Where a promise was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The promise.
    pub(super) rule: Rule,
    /// The operation, or the lane.
    pub(super) subject: String,
    /// What the books say.
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

/// Every violation in the books of a round.
pub(super) fn judge(books: &Books) -> Vec<Violation> {
    let mut violations = Vec::new();
    for operation in &books.operations {
        violations.extend(one_operation(operation));
        violations.extend(final_end(operation));
        violations.extend(told::untold(operation));
        violations.extend(stopped::run_again(books, operation));
        violations.extend(lanes::fallen_create(books, operation));
        violations.extend(effects::of_operation(books, operation));
    }
    violations.extend(effects::without_operation(books));
    violations.extend(effects::left_behind(books));
    violations.extend(effects::overpaid(books));
    violations.extend(lanes::lost(books));
    violations.extend(lanes::out_of_order(books));
    violations.extend(lanes::standing_though_it_fell(books));
    violations.extend(books.unanswered.iter().map(|what| Violation {
        rule: Rule::GatewaysAnswer,
        subject: what.clone(),
        detail: "no answer".to_owned(),
    }));
    violations.extend(books.sent_on_hold.iter().map(|what| Violation {
        rule: Rule::HoldsHold,
        subject: what.clone(),
        detail: "begun while everything was on hold".to_owned(),
    }));
    violations
}

/// Whether every operation has ended, is parked, or stands behind what is parked.
pub(super) fn is_quiescent(books: &Books) -> bool {
    lanes::lost(books).is_empty()
}

fn one_operation(operation: &Accepted) -> Option<Violation> {
    let first = operation.tracking_ids.first()?;
    let other = operation.tracking_ids.iter().find(|id| *id != first)?;
    let detail = format!("was also answered with {other}");
    Some(Violation::of(Rule::OneOperationAKey, operation, detail))
}

/// Two readings apart in time must be the same to the letter.
pub(super) fn final_end(operation: &Accepted) -> Option<Violation> {
    let first = operation.readings.first()?;
    let other = operation
        .readings
        .iter()
        .find(|reading| *reading != first)?;
    let detail = format!("first {first}, then {other}");
    Some(Violation::of(Rule::EndsAreFinal, operation, detail))
}
