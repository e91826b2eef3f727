//! What a worker does now, for operators.

use serde::Serialize;

use super::{Deps, blocked::BlockedScope};
use crate::domain::FineractHealth;

/// What a worker does now.
#[derive(Debug, Serialize)]
pub struct Activity {
    /// Whether the circuit towards Fineract is closed: `unknown`, `open` (Fineract answers) or `blocked`, as in `/readyz`.
    fineract: &'static str,
    /// Why Fineract is blocked.
    reason: Option<&'static str>,
    /// The concurrency limit.
    limit: usize,
    /// How many operations call Fineract now.
    in_flight: usize,
    /// The operation types, and the lenders of an operation type, for which Fineract accepts no commands at present.
    blocked: Vec<Blocked>,
}

/// A type, or a lender of a type, that is blocked.
#[derive(Debug, Serialize)]
struct Blocked {
    operation_type: &'static str,
    lender: Option<String>,
}

impl Deps {
    /// What this worker does now.
    pub fn report(&self) -> Activity {
        let (fineract, reason) = match *self.circuit_breaker.health().borrow() {
            FineractHealth::Unknown => ("unknown", None),
            FineractHealth::Open => ("open", None),
            FineractHealth::Blocked { reason, .. } => ("blocked", Some(reason)),
        };
        let blocked = self.blocked.scopes().into_iter().map(|scope| match scope {
            BlockedScope::Type(operation_type) => Blocked {
                operation_type: operation_type.as_str(),
                lender: None,
            },
            BlockedScope::Lender(operation_type, lender) => Blocked {
                operation_type: operation_type.as_str(),
                lender: Some(lender),
            },
        });
        Activity {
            fineract,
            reason,
            limit: self.limiter.limit(),
            in_flight: self.limiter.permits().in_flight(),
            blocked: blocked.collect(),
        }
    }
}
