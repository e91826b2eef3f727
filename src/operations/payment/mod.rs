//! The common part of disbursements and repayments: a reference (UTR), a note, and a transaction `externalId` that is
//! the same in every attempt.

mod reference_in_note;

use serde::Serialize;

use super::{
    deployment::Deployment,
    fields::Fields,
    operation::{Context, Refusal},
    rules,
};
use crate::domain::{Facts, Loan, OperationId, Reads, Transaction, comparable_reference};

/// The reference and the note of a payment.
#[derive(Debug)]
pub(super) struct Remarks {
    /// The payment reference (UTR).
    pub(super) reference: Option<String>,
    note: Option<String>,
}

/// The reference and the note in the request body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemarksBody<'a> {
    /// Without a payment type, Fineract drops the receipt number silently.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_type_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Remarks {
    /// Reads `utr_payment_id` and `note`.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let remarks = Self {
            reference: fields.optional_reference("utr_payment_id"),
            note: fields.optional("note", rules::note()),
        };
        if let Some(note) = remarks.note_with_reference()
            && rules::length(&note) > rules::LONGEST_NOTE
        {
            fields.problem(
                "note",
                "too_long",
                "is too long together with utr_payment_id",
            );
        }
        remarks
    }

    /// What to read: the evidence, the payment type with which the reference is sent, and the loan's notes.
    pub(super) fn reads(&self, loan: &str, deployment: &Deployment, id: OperationId) -> Reads {
        Reads {
            payment_type: self.method(deployment),
            notes: self.reference.is_some(),
            ..evidence_reads(loan, id)
        }
    }

    /// The name of the payment type, if there is a reference to send with it.
    pub(super) fn method(&self, deployment: &Deployment) -> Option<String> {
        let payment_type = deployment.payment_type.clone();
        payment_type.filter(|_| self.reference.is_some())
    }

    /// Refuses a reference that was already used for the loan, either by an operation of the gateway or by a
    /// transaction of Fineract that is not undone. If a payment was sent without a payment type, its reference is in a
    /// note, so the notes are checked too.
    pub(super) fn check_reference<'a>(
        &self,
        loan: &Loan,
        not_undone: impl Iterator<Item = &'a Transaction>,
        context: &Context<'_>,
        what: &str,
    ) -> Result<(), Refusal> {
        let used = |by: String| {
            Err(Refusal {
                code: "reference_used",
                message: format!("Not sent: this utr_payment_id was used for the loan by {by}"),
            })
        };
        if let Some(earlier) = &context.same_reference {
            return used(earlier.clone());
        }
        let Some(reference) = self.reference.as_deref().map(comparable_reference) else {
            return Ok(());
        };
        let has_reference = |paid: &Transaction| {
            let detail = paid.payment_detail_data.as_ref();
            let receipt = detail.and_then(|detail| detail.receipt_number.as_deref());
            receipt.is_some_and(|receipt| comparable_reference(receipt) == reference)
        };
        let not_undone: Vec<&Transaction> = not_undone.collect();
        if not_undone.iter().copied().any(has_reference) {
            return used(format!("another {what} that is not undone"));
        }
        if loan
            .notes
            .iter()
            .any(|note| reference_in_note::names_payment(note, &reference, &not_undone))
        {
            return used(format!(
                "another {what} that is not undone, according to a note"
            ));
        }
        Ok(())
    }

    /// Makes the part of the request body. The reference is the receipt number if there is a payment type. Otherwise it
    /// is in the note.
    pub(super) fn body(&self, payment_type: Option<i64>) -> RemarksBody<'_> {
        let reference = self.reference.as_deref();
        RemarksBody {
            payment_type_id: payment_type.filter(|_| reference.is_some()),
            receipt_number: reference.filter(|_| payment_type.is_some()),
            note: match payment_type {
                Some(_) => self.note.clone(),
                None => self.note_with_reference(),
            },
        }
    }

    fn note_with_reference(&self) -> Option<String> {
        match (&self.note, &self.reference) {
            (note, Some(reference)) => Some(reference_in_note::note_with_reference(
                note.as_deref(),
                reference,
            )),
            (note, None) => note.clone(),
        }
    }
}

/// What to read to find out whether a payment was made: the loan, and the transaction with the operation's
/// `externalId`.
pub(super) fn evidence_reads(loan: &str, id: OperationId) -> Reads {
    Reads {
        loan: Some(loan.to_owned()),
        transaction: Some(id.to_string()),
        ..Reads::default()
    }
}

/// Finds the operation's own transaction. The gateway also reads this transaction separately, because the list in the
/// loan omits undone transactions.
pub fn own_transaction<'a>(
    loan: &'a Loan,
    facts: &'a Facts,
    id: OperationId,
) -> Option<&'a Transaction> {
    let id = id.to_string();
    facts
        .transaction
        .iter()
        .chain(&loan.transactions)
        .find(|transaction| transaction.external_id.as_ref() == Some(&id))
}
