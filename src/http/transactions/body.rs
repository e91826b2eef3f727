//! The body of a transaction, with the keys of document 003 in its order.

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::Status;
use crate::{
    domain::{Amount, Direction},
    operations::Movement,
    store::MoneyMovement,
};

/// A transaction.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Transaction")]
pub(in crate::http) struct TransactionBody {
    /// The UUID of the operation.
    id: String,
    /// `payment` or `withdrawal`.
    #[schemars(extend("enum" = ["payment", "withdrawal"]))]
    operation_type: &'static str,
    /// The status.
    status: Status,
    /// `null` if the caller gave no amount and no command has been sent yet: the terms of the loan then determine the
    /// amount.
    amount: Option<Amount>,
    /// The currency of the loan.
    currency: String,
    /// The UTR; without one, the external id of the loan.
    merchant_reference: String,
    /// When the operation was accepted (UTC).
    created_at: String,
    /// When the operation last changed (UTC).
    updated_at: String,
    /// Only after success.
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_details: Option<CompletionDetails>,
    /// Only of a withdrawal.
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_details: Option<TransferDetails>,
}

/// The details of a transaction that has succeeded.
#[derive(Debug, JsonSchema, Serialize)]
struct CompletionDetails {
    /// When the operation ended (UTC).
    completed_at: String,
    /// Fineract's number of the transaction.
    authorization_code: Option<String>,
    /// The receipt number, or the transaction's external id, which equals `id`.
    reference_number: String,
}

/// The destination of a withdrawal.
#[derive(Debug, JsonSchema, Serialize)]
struct TransferDetails {
    /// The payment type under which a UTR is booked.
    transfer_method: Option<String>,
    /// The last characters of the loan's external id.
    beneficiary_account: String,
    /// When the operation will probably end.
    estimated_completion: Option<String>,
}

/// The fields of the command that the gateway sent to Fineract.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    transaction_amount: Option<Amount>,
    receipt_number: Option<String>,
}

/// The ids in Fineract's answer. In the answer to a disbursement, the transaction is the sub-resource. In the answer to
/// a repayment, the transaction is the resource (`docs/fineract/commands.md`, "The result body of each command").
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Success {
    resource_id: Option<i64>,
    sub_resource_id: Option<i64>,
}

impl TransactionBody {
    /// Combines the payload, the command that was sent, and the answer of Fineract.
    pub(super) fn new(
        read: &MoneyMovement,
        movement: Movement,
        currency: &str,
        estimated_end: Option<DateTime<Utc>>,
    ) -> Self {
        let status = Status::of(&read.progress);
        let id = read.tracking_id.id.to_string();
        let sent: Sent = parsed(read.request.as_deref());
        let completion_details =
            read.ended_at
                .filter(|_| status.is_completed())
                .map(|at| CompletionDetails {
                    completed_at: iso_8601(at),
                    authorization_code: authorization_code(read, movement.direction),
                    reference_number: sent.receipt_number.unwrap_or_else(|| id.clone()),
                });
        let transfer_details = match movement.direction {
            Direction::Payment => None,
            Direction::Withdrawal => Some(TransferDetails {
                transfer_method: movement.method,
                beneficiary_account: masked(&movement.loan),
                estimated_completion: estimated_end.map(iso_8601),
            }),
        };
        Self {
            id,
            operation_type: match movement.direction {
                Direction::Payment => "payment",
                Direction::Withdrawal => "withdrawal",
            },
            status,
            amount: movement.amount.or(sent.transaction_amount),
            currency: read.currency.clone().unwrap_or_else(|| currency.to_owned()),
            merchant_reference: movement.reference.unwrap_or(movement.loan),
            created_at: iso_8601(read.accepted_at),
            updated_at: iso_8601(read.updated_at),
            completion_details,
            transfer_details,
        }
    }
}

/// The number that Fineract has assigned to the transaction.
fn authorization_code(read: &MoneyMovement, direction: Direction) -> Option<String> {
    let success: Success = parsed(read.success.as_deref());
    let id = match direction {
        Direction::Payment => success.resource_id,
        Direction::Withdrawal => success.sub_resource_id,
    };
    id.map(|id| id.to_string())
}

/// Parses a stored text as a `T`. Returns an empty `T` if the text is missing or has another form.
fn parsed<T: Default + for<'de> Deserialize<'de>>(text: Option<&str>) -> T {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Masks an account number. The result shows at most the last four characters, and at most half of all characters.
fn masked(account: &str) -> String {
    let length = account.chars().count();
    let shown = account.chars().skip(length - (length / 2).min(4));
    "****".chars().chain(shown).collect()
}

fn iso_8601(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_shows_at_most_its_last_four() {
        for (account, shown) in [
            ("LOAN-000123", "****0123"),
            ("LOAN-123", "****-123"),
            ("L-123", "****23"),
            ("L", "****"),
            ("ऋण-१२३४५", "****२३४५"),
        ] {
            assert_eq!(masked(account), shown, "{account}");
        }
    }
}
