//! What each operation did to Fineract, against what track says it did.

use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;

use super::{Accepted, Books, Effect, Rule, Standing, Violation};
use fineract_gateway::domain::{OperationId, OperationType};

/// Success has exactly one effect with our values, failure none, and nothing has two.
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
            object(Rule::OurValues, problem);
        }
    }
    match &operation.standing {
        Standing::Succeeded if effects.is_empty() && !is_absent(books, operation) => {
            object(Rule::SuccessHasItsEffect, "no effect".to_owned());
        }
        Standing::Failed { codes } if !effects.is_empty() => {
            object(
                Rule::FailureHasNone,
                format!("{}; codes {codes:?}", listed(&effects)),
            );
        }
        Standing::Parked { reason_code } if !operation.may_be_parked => {
            object(Rule::ParkedForCause, reason_code.clone());
        }
        Standing::Missing
        | Standing::Open
        | Standing::Parked { .. }
        | Standing::Succeeded
        | Standing::Failed { .. } => {}
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
        Some(format!("effect {} is of another kind", effect.seq))
    } else if operation.amount.is_some() && effect.amount != operation.amount {
        Some(format!("effect {} is of another amount", effect.seq))
    } else if effect.transaction != transaction {
        Some(format!("effect {} is another transaction", effect.seq))
    } else {
        None
    }
}

/// A delete succeeds by absence: somebody else may have been first.
fn is_absent(books: &Books, operation: &Accepted) -> bool {
    operation.operation_type == OperationType::LoanDelete
        && books.ledger.iter().any(|effect| {
            effect.is_anothers()
                && effect.operation_type == Some(OperationType::LoanDelete)
                && effect.lane == operation.lane
        })
}

/// Effects that neither an accepted operation nor another writer had.
pub(super) fn without_operation(books: &Books) -> Vec<Violation> {
    let accepted: HashSet<OperationId> = books
        .operations
        .iter()
        .flat_map(|operation| operation.tracking_ids.iter().map(|id| id.id))
        .collect();
    books
        .ledger
        .iter()
        .filter(|effect| !effect.is_anothers())
        .filter(|effect| effect.operation().is_none_or(|id| !accepted.contains(&id)))
        .map(|effect| Violation {
            rule: Rule::EffectsAreAccepted,
            subject: effect.lane.clone(),
            detail: listed(&[effect]),
        })
        .collect()
}

/// What Fineract shows at the end is what the last of our effects left behind.
pub(super) fn left_behind(books: &Books) -> Vec<Violation> {
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
            let found = books.things.get(&effect.lane).map(|thing| &thing.value);
            let is_deleted = operation.operation_type == OperationType::LoanDelete;
            let is_known = is_deleted || operation.value.is_some();
            (is_known && found != operation.value.as_ref()).then(|| {
                let detail = format!("left {:?}, but there is {found:?}", operation.value);
                Violation::of(Rule::OurValues, operation, detail)
            })
        })
        .collect()
}

/// A payment of ours that goes beyond what was approved. Payments of others count, but are theirs.
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
            .things
            .get(&effect.lane)
            .and_then(|loan| loan.approved);
        if !effect.is_anothers() && approved.is_some_and(|approved| *sum > approved.0) {
            violations.push(Violation {
                rule: Rule::NotOverpaid,
                subject: effect.lane.clone(),
                detail: format!("{sum} paid with {}", listed(&[effect])),
            });
        }
    }
    violations
}
