//! The rules about lanes: lost operations, the order of effects, and dependency failures.

use super::{Accepted, Books, Rule, Status, Violation};
use fineract_gateway::domain::OperationType;

/// The codes with which a `CLIENT_CREATE` fails because the client already exists. The dependents of such a failure do
/// not fail. The second code is the code of a conflict. A create fails with this code only after the gateway has found
/// that another writer had created the client.
const CLIENT_EXISTS: [&str; 2] = [
    "error.msg.client.duplicate.externalId",
    "error.msg.platform.service.lock.conflict",
];

/// A violation for each operation that has not ended, is not parked, and does not wait behind a parked operation.
pub(super) fn lost(books: &Books) -> Vec<Violation> {
    let mut parked: Vec<&Accepted> = books
        .operations
        .iter()
        .filter(|operation| matches!(operation.status, Status::Parked { .. }))
        .collect();
    let mut open: Vec<&Accepted> = books
        .operations
        .iter()
        .filter(|operation| matches!(operation.status, Status::Open | Status::Missing))
        .collect();
    loop {
        let (behind, rest): (Vec<_>, Vec<_>) = open.iter().partition(|operation| {
            operation.status == Status::Open
                && parked.iter().any(|earlier| {
                    earlier.shares_a_lane(operation) && !operation.is_before(earlier)
                })
        });
        open = rest;
        if behind.is_empty() {
            break;
        }
        parked.extend(behind);
    }
    open.into_iter()
        .map(|operation| {
            let detail = format!("{:?}", operation.status);
            Violation::of(Rule::NothingIsLost, operation, detail)
        })
        .collect()
}

/// A violation for effects in a lane that were executed in another order than the operations were accepted.
pub(super) fn out_of_order(books: &Books) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (earlier, later) in pairs(books) {
        let last = books.effects_of(earlier).iter().map(|e| e.seq).max();
        let first = books.effects_of(later).iter().map(|e| e.seq).min();
        if let (Some(last), Some(first)) = (last, first)
            && last > first
        {
            let detail = format!(
                "its effect {last} came after effect {first} of {}",
                later.name()
            );
            violations.push(Violation::of(Rule::OrderOfAcceptance, earlier, detail));
        }
    }
    violations
}

/// A violation for each operation that succeeded although it depends on a failed operation. Operations that were
/// accepted after a caller had read the failure do not count.
pub(super) fn succeeded_dependents(books: &Books) -> Vec<Violation> {
    pairs(books)
        .filter(|(earlier, later)| {
            fails_dependents(earlier)
                && (later.lane == earlier.lane || later.reads.as_ref() == Some(&earlier.lane))
                && matches!(later.status, Status::Succeeded)
                && !depends_on_another_create(books, earlier, later)
                && !failure_was_read(books, earlier, later)
        })
        .map(|(earlier, later)| {
            let detail = format!("succeeded although {} failed", earlier.name());
            Violation::of(Rule::DependentsFail, later, detail)
        })
        .collect()
}

/// Whether `later` is a create, or may be behind another create. If so, `later` does not depend on `earlier`.
fn depends_on_another_create(books: &Books, earlier: &Accepted, later: &Accepted) -> bool {
    books.operations.iter().any(|create| {
        create.operation_type.is_create()
            && create.lane == earlier.lane
            && create.caller_key != earlier.caller_key
            && !create.is_before(earlier)
            && !later.is_before(create)
    })
}

/// A violation for a create that failed as a dependent although nothing failed in the lane that the create reads.
pub(super) fn create_failed_as_dependent(books: &Books, operation: &Accepted) -> Option<Violation> {
    let code = operation.code.as_deref()?;
    let is_dependent =
        operation.operation_type.is_create() && ["behind_failed", "behind_stopped"].contains(&code);
    let is_cause = |other: &Accepted| {
        operation.reads.as_ref() == Some(&other.lane)
            && matches!(other.status, Status::Failed { .. })
    };
    (is_dependent && !books.operations.iter().any(is_cause))
        .then(|| Violation::of(Rule::CreatesAreIndependent, operation, code))
}

/// Whether a caller had read the failure of `earlier`, or of an operation that shares a lane with it, before the
/// acceptance of `later` was received.
fn failure_was_read(books: &Books, earlier: &Accepted, later: &Accepted) -> bool {
    books
        .operations
        .iter()
        .filter(|read| read.shares_a_lane(earlier))
        .filter_map(|read| read.failure_read_at)
        .any(|read_at| read_at <= later.acknowledged_at)
}

fn fails_dependents(operation: &Accepted) -> bool {
    let Status::Failed { codes } = &operation.status else {
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
                    .any(|code| CLIENT_EXISTS.contains(&code.as_str()))
        }
        OperationType::ClientUpdate
        | OperationType::LoanDisburse
        | OperationType::LoanDelete
        | OperationType::LoanRepayment
        | OperationType::LoanReject
        | OperationType::LoanWithdraw => false,
    }
}

/// All pairs of operations that share a lane, in which the acceptance of the first was received before the second was
/// sent.
fn pairs(books: &Books) -> impl Iterator<Item = (&Accepted, &Accepted)> {
    books.operations.iter().flat_map(|earlier| {
        books
            .operations
            .iter()
            .filter(|later| earlier.is_before(later) && earlier.shares_a_lane(later))
            .map(move |later| (earlier, later))
    })
}
