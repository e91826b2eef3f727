//! What stands behind what: losses, the order, and what falls.

use super::{Accepted, Books, Rule, Standing, Violation};
use fineract_gateway::domain::OperationType;

/// Fineract's words for a client that is there already: nobody falls with that. A conflict is no refusal by
/// itself: a create fails with it where another one's client was found afterwards.
const CLIENT_IS_THERE: [&str; 2] = [
    "error.msg.client.duplicate.externalId",
    "error.msg.platform.service.lock.conflict",
];

/// What has neither ended nor is parked, and does not stand behind what is parked.
pub(super) fn lost(books: &Books) -> Vec<Violation> {
    let mut held: Vec<&Accepted> = books
        .operations
        .iter()
        .filter(|operation| matches!(operation.standing, Standing::Parked { .. }))
        .collect();
    let mut open: Vec<&Accepted> = books
        .operations
        .iter()
        .filter(|operation| matches!(operation.standing, Standing::Open | Standing::Missing))
        .collect();
    loop {
        let (behind, rest): (Vec<_>, Vec<_>) = open.iter().partition(|operation| {
            operation.standing == Standing::Open
                && held
                    .iter()
                    .any(|held| held.shares_a_lane(operation) && !operation.is_before(held))
        });
        open = rest;
        if behind.is_empty() {
            break;
        }
        held.extend(behind);
    }
    open.into_iter()
        .map(|operation| {
            let detail = format!("{:?}", operation.standing);
            Violation::of(Rule::NothingIsLost, operation, detail)
        })
        .collect()
}

/// Effects of one lane that came in another order than their operations were accepted in.
pub(super) fn out_of_order(books: &Books) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (earlier, later) in pairs(books) {
        let last = books.effects_of(earlier).iter().map(|e| e.seq).max();
        let first = books.effects_of(later).iter().map(|e| e.seq).min();
        if let (Some(last), Some(first)) = (last, first)
            && last > first
        {
            let detail = format!("effect {last}, after effect {first} of {}", later.name());
            violations.push(Violation::of(Rule::OrderOfAcceptance, earlier, detail));
        }
    }
    violations
}

/// What rests on a failed operation, was sent before anybody could know of the failure, and did not fail.
pub(super) fn standing_though_it_fell(books: &Books) -> Vec<Violation> {
    pairs(books)
        .filter(|(earlier, later)| {
            fails_dependents(earlier)
                && (later.lane == earlier.lane || later.reads.as_ref() == Some(&earlier.lane))
                && matches!(later.standing, Standing::Succeeded)
                && !rests_on_a_create(books, earlier, later)
                && !was_known(books, earlier, later)
        })
        .map(|(earlier, later)| {
            let detail = format!("succeeded, though {} failed", earlier.name());
            Violation::of(Rule::FallsWithIt, later, detail)
        })
        .collect()
}

/// Whether the later one creates what the lane is about, or may stand behind another one that does.
fn rests_on_a_create(books: &Books, earlier: &Accepted, later: &Accepted) -> bool {
    books.operations.iter().any(|create| {
        create.operation_type.is_create()
            && create.lane == earlier.lane
            && create.caller_key != earlier.caller_key
            && !create.is_before(earlier)
            && !later.is_before(create)
    })
}

/// A create that failed with what failed before it, and not in a lane that it reads.
pub(super) fn fallen_create(books: &Books, operation: &Accepted) -> Option<Violation> {
    let code = operation.code.as_deref()?;
    let has_fallen =
        operation.operation_type.is_create() && ["behind_failed", "behind_stopped"].contains(&code);
    let is_cause = |other: &Accepted| {
        operation.reads.as_ref() == Some(&other.lane)
            && matches!(other.standing, Standing::Failed { .. })
    };
    (has_fallen && !books.operations.iter().any(is_cause))
        .then(|| Violation::of(Rule::CreatesStandAlone, operation, code))
}

/// Whether somebody had read of the failure, or of one that fell with it, before the later one was accepted.
fn was_known(books: &Books, earlier: &Accepted, later: &Accepted) -> bool {
    books
        .operations
        .iter()
        .filter(|read| read.shares_a_lane(earlier))
        .filter_map(|read| read.failure_read_at)
        .any(|read_at| read_at <= later.heard_at)
}

fn fails_dependents(operation: &Accepted) -> bool {
    let Standing::Failed { codes } = &operation.standing else {
        return false;
    };
    match operation.operation_type {
        OperationType::LoanCreate
        | OperationType::LoanUpdate
        | OperationType::LoanApprove
        | OperationType::LoanUndoApproval
        | OperationType::LoanUndoDisbursal => true,
        OperationType::ClientCreate => {
            !codes.is_empty()
                && !codes
                    .iter()
                    .any(|code| CLIENT_IS_THERE.contains(&code.as_str()))
        }
        OperationType::ClientUpdate
        | OperationType::LoanDisburse
        | OperationType::LoanDelete
        | OperationType::LoanRepayment
        | OperationType::LoanReject
        | OperationType::LoanWithdraw => false,
    }
}

/// All pairs that share a lane, and of which one was accepted before the other was sent.
fn pairs(books: &Books) -> impl Iterator<Item = (&Accepted, &Accepted)> {
    books.operations.iter().flat_map(|earlier| {
        books
            .operations
            .iter()
            .filter(|later| earlier.is_before(later) && earlier.shares_a_lane(later))
            .map(move |later| (earlier, later))
    })
}
