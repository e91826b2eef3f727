//! Converts entries of the sandbox's ledger into the effects that the judge compares.

use serde::Deserialize;

use super::{
    judge::Effect,
    requests::{client_lane, loan_lane},
};
use fineract_gateway::domain::{Amount, FineractCommand, OperationType};

/// An entry of the ledger.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    seq: i64,
    action: String,
    entity: String,
    external_id: Option<String>,
    transaction_external_id: Option<String>,
    amount: Option<Amount>,
    idempotency_key: String,
}

impl From<Line> for Effect {
    fn from(line: Line) -> Self {
        let id = line.external_id.unwrap_or_default();
        let task = (line.action.as_str(), line.entity.as_str());
        let operation_type = OperationType::ALL
            .iter()
            .copied()
            .find(|known| FineractCommand::of(*known).task() == task);
        Self {
            seq: line.seq,
            operation_type,
            lane: match line.entity.as_str() {
                "LOAN" => loan_lane(&id),
                _ => client_lane(&id),
            },
            transaction: line.transaction_external_id,
            amount: line.amount,
            key: line.idempotency_key,
        }
    }
}
