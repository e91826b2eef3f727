//! The JSON of requests and of successes.

use serde::Serialize;

use super::{Client, Loan, Plan, Transaction};
use crate::domain::{FineractCommand, OperationType};

/// The language of numbers and months in every request (`docs/fineract/commands.md`, "Dates in a request").
pub(super) const LOCALE: &str = "en";
/// How every request writes a day.
pub(super) const DATE_FORMAT: &str = "dd MMMM yyyy";

/// The plan to send a type's command to the client or loan of that number.
pub(super) fn send(operation_type: OperationType, number: i64, body: &impl Serialize) -> Plan {
    Plan::Send(FineractCommand::of(operation_type).request(number, Some(json(body))))
}

/// The plan to send a type's command that creates a client or loan.
pub(super) fn create(operation_type: OperationType, body: &impl Serialize) -> Plan {
    const NO_NUMBER: i64 = 0;
    send(operation_type, NO_NUMBER, body)
}

#[expect(
    clippy::expect_used,
    reason = "structs of texts and numbers always have a JSON text"
)]
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of texts and numbers always have a JSON text")
}

/// A success body made from what was read: the keys of its command in their order, without `changes`, which nobody
/// knows any more (`docs/fineract/commands.md`, "The result body of each command").
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "the keys as Fineract writes them"
)]
pub(super) struct Success<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    office_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loan_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_resource_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_resource_external_id: Option<&'a str>,
}

impl<'a> Success<'a> {
    /// Of a command to a client.
    pub(super) fn client(client: &'a Client) -> Self {
        Self {
            office_id: client.office_id,
            client_id: Some(client.id),
            resource_id: Some(client.id),
            resource_external_id: client.external_id.as_deref(),
            ..Self::default()
        }
    }

    /// Of a command to a loan.
    pub(super) fn loan(loan: &'a Loan) -> Self {
        Self {
            office_id: loan.client_office_id,
            client_id: Some(loan.client_id),
            loan_id: Some(loan.id),
            resource_id: Some(loan.id),
            resource_external_id: loan.external_id.as_deref(),
            ..Self::default()
        }
    }

    /// Of a payout.
    pub(super) fn disbursement(loan: &'a Loan, transaction: &'a Transaction) -> Self {
        Self {
            sub_resource_id: Some(transaction.id),
            sub_resource_external_id: transaction.external_id.as_deref(),
            ..Self::loan(loan)
        }
    }

    /// Of a repayment: what it acted on is the transaction (`docs/fineract/payments.md`, "Repayments").
    pub(super) fn repayment(loan: &'a Loan, transaction: &'a Transaction) -> Self {
        Self {
            resource_id: Some(transaction.id),
            resource_external_id: transaction.external_id.as_deref(),
            ..Self::loan(loan)
        }
    }

    /// Of a delete: the loan cannot be asked any more.
    pub(super) fn deleted_loan(id: Option<i64>, external_id: &'a str) -> Self {
        Self {
            loan_id: id,
            resource_id: id,
            resource_external_id: Some(external_id),
            ..Self::default()
        }
    }

    /// The JSON text.
    pub(super) fn body(&self) -> String {
        json(self)
    }
}
