//! The rules about effects: compares the effects of each operation in Fineract with the result that track reports.

use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;

use super::{Accepted, Books, Effect, Rule, Status, Violation};
use fineract_gateway::domain::{OperationId, OperationType};

/// The violations of one operation: a success must have exactly one effect, with the requested values. A failure must
/// have no effect. No operation may have two effects.
pub(super) fn of_operation(books: &Books, operation: &Accepted) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut object = |rule, detail: String| {
        violations.push(Violation::of(rule, operation, detail));
    };
    let effects = books.effects_of(operation);
    if effects.len() > 1 {
        object(Rule::OneEffect, listed(&effects));
    }
    for effect in &effects {
        if let Some(problem) = differs(operation, effect) {
            object(Rule::EffectAsRequested, problem);
        }
    }
    match &operation.status {
        Status::Succeeded if effects.is_empty() && !is_absent(books, operation) => {
            object(Rule::SuccessHasEffect, "no effect".to_owned());
        }
        Status::Failed { codes } if !effects.is_empty() => {
            object(
                Rule::FailureHasNoEffect,
                format!("{}; codes {codes:?}", listed(&effects)),
            );
        }
        Status::Parked { reason_code } if !operation.may_be_parked => {
            object(Rule::ParkedForCause, reason_code.clone());
        }
        Status::Missing
        | Status::Open
        | Status::Parked { .. }
        | Status::Succeeded
        | Status::Failed { .. } => {}
    }
    violations
}

fn listed(effects: &[&Effect]) -> String {
    let lines: Vec<String> = effects
        .iter()
        .map(|effect| format!("effect {} under {}", effect.seq, effect.key))
        .collect();
    lines.join(", ")
}

fn differs(operation: &Accepted, effect: &Effect) -> Option<String> {
    let moves_money = matches!(
        operation.operation_type,
        OperationType::LoanDisburse | OperationType::LoanRepayment
    );
    let id = operation.id().filter(|_| moves_money);
    let transaction = id.map(|id| id.to_string());
    if effect.operation_type != Some(operation.operation_type) || effect.lane != operation.lane {
        Some(format!(
            "effect {} is on another object or of another type",
            effect.seq
        ))
    } else if operation.amount.is_some() && effect.amount != operation.amount {
        Some(format!("effect {} has another amount", effect.seq))
    } else if effect.transaction != transaction {
        Some(format!(
            "effect {} has the external id of another transaction",
            effect.seq
        ))
    } else {
        None
    }
}

/// A delete succeeds without an effect of its own if another writer has already deleted the loan.
fn is_absent(books: &Books, operation: &Accepted) -> bool {
    operation.operation_type == OperationType::LoanDelete
        && books.ledger.iter().any(|effect| {
            effect.is_by_other_writer()
                && effect.operation_type == Some(OperationType::LoanDelete)
                && effect.lane == operation.lane
        })
}

/// A violation for each effect that belongs neither to an accepted operation nor to another writer.
pub(super) fn without_operation(books: &Books) -> Vec<Violation> {
    let accepted: HashSet<OperationId> = books
        .operations
        .iter()
        .flat_map(|operation| operation.tracking_ids.iter().map(|id| id.id))
        .collect();
    books
        .ledger
        .iter()
        .filter(|effect| !effect.is_by_other_writer())
        .filter(|effect| effect.operation().is_none_or(|id| !accepted.contains(&id)))
        .map(|effect| Violation {
            rule: Rule::EffectsAreAccepted,
            subject: effect.lane.clone(),
            detail: listed(&[effect]),
        })
        .collect()
}

/// A violation for each client or loan for which Fineract does not show the values of the last effect at the end.
pub(super) fn different_at_the_end(books: &Books) -> Vec<Violation> {
    let mut last: HashMap<&str, &Effect> = HashMap::new();
    for effect in &books.ledger {
        let writes_values = matches!(
            effect.operation_type,
            Some(
                OperationType::ClientCreate
                    | OperationType::ClientUpdate
                    | OperationType::LoanCreate
                    | OperationType::LoanUpdate
                    | OperationType::LoanDelete
            )
        );
        if writes_values {
            last.insert(&effect.lane, effect);
        }
    }
    let operations: HashMap<OperationId, &Accepted> = books
        .operations
        .iter()
        .filter_map(|operation| Some((operation.id()?, operation)))
        .collect();
    last.values()
        .filter_map(|effect| {
            let operation = operations.get(&effect.operation()?)?;
            let found = books
                .resources
                .get(&effect.lane)
                .map(|resource| &resource.value);
            let is_deleted = operation.operation_type == OperationType::LoanDelete;
            let is_known = is_deleted || operation.value.is_some();
            (is_known && found != operation.value.as_ref()).then(|| {
                let detail = format!(
                    "its effect left {:?}, but Fineract shows {found:?}",
                    operation.value
                );
                Violation::of(Rule::EffectAsRequested, operation, detail)
            })
        })
        .collect()
}

/// A violation for each disbursement by the gateway beyond the approved principal. Disbursements by other writers are
/// added to the sum, but are no violations themselves.
pub(super) fn overpaid(books: &Books) -> Vec<Violation> {
    let mut paid: HashMap<&str, Decimal> = HashMap::new();
    let mut violations = Vec::new();
    for effect in &books.ledger {
        let sum = paid.entry(&effect.lane).or_default();
        match (effect.operation_type, effect.amount) {
            (Some(OperationType::LoanDisburse), Some(amount)) => *sum += amount.0,
            (Some(OperationType::LoanUndoDisbursal), _) => *sum = Decimal::ZERO,
            _ => continue,
        }
        let approved = books
            .resources
            .get(&effect.lane)
            .and_then(|loan| loan.approved);
        if !effect.is_by_other_writer() && approved.is_some_and(|approved| *sum > approved.0) {
            violations.push(Violation {
                rule: Rule::NotOverpaid,
                subject: effect.lane.clone(),
                detail: format!("{sum} disbursed including {}", listed(&[effect])),
            });
        }
    }
    violations
}
