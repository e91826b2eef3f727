//! The sandbox's ledger, read into the judge's terms.

use serde::Deserialize;

use super::{
    judge::Effect,
    requests::{client_lane, loan_lane},
};
use fineract_gateway::domain::{Amount, OperationType};

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
        let operation_type = match (line.action.as_str(), line.entity.as_str()) {
            ("CREATE", "CLIENT") => Some(OperationType::ClientCreate),
            ("UPDATE", "CLIENT") => Some(OperationType::ClientUpdate),
            ("CREATE", "LOAN") => Some(OperationType::LoanCreate),
            ("UPDATE", "LOAN") => Some(OperationType::LoanUpdate),
            ("APPROVE", "LOAN") => Some(OperationType::LoanApprove),
            ("DISBURSE", "LOAN") => Some(OperationType::LoanDisburse),
            ("DELETE", "LOAN") => Some(OperationType::LoanDelete),
            ("REPAYMENT", "LOAN") => Some(OperationType::LoanRepayment),
            ("REJECT", "LOAN") => Some(OperationType::LoanReject),
            ("WITHDRAW", "LOAN") => Some(OperationType::LoanWithdraw),
            ("APPROVALUNDO", "LOAN") => Some(OperationType::LoanUndoApproval),
            ("DISBURSALUNDO", "LOAN") => Some(OperationType::LoanUndoDisbursal),
            _ => None,
        };
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
