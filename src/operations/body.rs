//! Builds the JSON of request bodies, and of success bodies for effects that the gateway has found in Fineract.

use serde::Serialize;

use super::operation::Plan;
use crate::domain::{Client, FineractCommand, Loan, OperationType, Transaction};

/// The language of numbers and month names in every request (`docs/fineract/commands.md`, "Dates in a
/// request").
pub(super) const LOCALE: &str = "en";
/// The format of dates in every request.
pub(super) const DATE_FORMAT: &str = "dd MMMM yyyy";

/// The plan to send a type's command to the client or loan with this number.
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

/// A success body that the gateway builds from what it has read. It has the keys of the command's answer, in the same
/// order, but without `changes`: the changes cannot be read afterwards (`docs/fineract/commands.md`, "The result body
/// of each command").
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
    /// The body of a command on a client.
    pub(super) fn client(client: &'a Client) -> Self {
        Self {
            office_id: client.office_id,
            client_id: Some(client.id),
            resource_id: Some(client.id),
            resource_external_id: client.external_id.as_deref(),
            ..Self::default()
        }
    }

    /// The body of a command on a loan.
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

    /// The body of a disbursement.
    pub(super) fn disbursement(loan: &'a Loan, transaction: &'a Transaction) -> Self {
        Self {
            sub_resource_id: Some(transaction.id),
            sub_resource_external_id: transaction.external_id.as_deref(),
            ..Self::loan(loan)
        }
    }

    /// The body of a repayment. The resource of a repayment is the transaction (`docs/fineract/payments.md`,
    /// "Repayments").
    pub(super) fn repayment(loan: &'a Loan, transaction: &'a Transaction) -> Self {
        Self {
            resource_id: Some(transaction.id),
            resource_external_id: transaction.external_id.as_deref(),
            ..Self::loan(loan)
        }
    }

    /// The body of a delete. It has only these keys, because the loan can no longer be read.
    pub(super) fn deleted_loan(id: Option<i64>, external_id: &'a str) -> Self {
        Self {
            loan_id: id,
            resource_id: id,
            resource_external_id: Some(external_id),
            ..Self::default()
        }
    }

    /// The body as JSON text.
    pub(super) fn body(&self) -> String {
        json(self)
    }
}
