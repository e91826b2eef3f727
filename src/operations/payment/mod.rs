//! What payouts and repayments have in common: a reference (UTR), a note, and a transaction externalId
//! that is the same in every attempt.

mod noted;

use serde::Serialize;

use super::{Context, Deployment, Loan, Reads, Refusal, Transaction, fields::Fields, rules};
use crate::domain::{Facts, OperationId, comparable_reference};

/// What a payment says beside its day and amount.
#[derive(Debug)]
pub(super) struct Remarks {
    /// The reference (UTR).
    pub(super) reference: Option<String>,
    note: Option<String>,
}

/// The remarks as Fineract gets them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemarksBody<'a> {
    /// Without it Fineract drops the receipt number in silence.
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
            note: fields.optional("note", rules::note),
        };
        if let Some(note) = remarks.note_with_reference()
            && rules::length(&note) > rules::LONGEST_NOTE
        {
            fields.problem(
                "note",
                "too_long",
                "leaves no room for utr_payment_id beside it",
            );
        }
        remarks
    }

    /// What to read: the evidence, and the payment type under which the reference goes.
    pub(super) fn reads(&self, loan: &str, deployment: &Deployment, id: OperationId) -> Reads {
        Reads {
            payment_type: self.method(deployment),
            notes: self.reference.is_some(),
            ..evidence_reads(loan, id)
        }
    }

    /// The name of the payment type, where there is a reference to go with it.
    pub(super) fn method(&self, deployment: &Deployment) -> Option<String> {
        let payment_type = deployment.payment_type.clone();
        payment_type.filter(|_| self.reference.is_some())
    }

    /// One reference pays one loan once: refuses it where an operation of ours, or one of the
    /// transactions that stand, has used it. Where there is no payment type, or was none, a note bears it.
    pub(super) fn check_reference<'a>(
        &self,
        loan: &Loan,
        standing: impl Iterator<Item = &'a Transaction>,
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
        let bears_it = |paid: &Transaction| {
            let detail = paid.payment_detail_data.as_ref();
            let receipt = detail.and_then(|detail| detail.receipt_number.as_deref());
            receipt.is_some_and(|receipt| comparable_reference(receipt) == reference)
        };
        let standing: Vec<&Transaction> = standing.collect();
        if standing.iter().copied().any(bears_it) {
            return used(format!("another {what} that stands"));
        }
        if loan
            .notes
            .iter()
            .any(|note| noted::pays(note, &reference, &standing))
        {
            return used(format!("another {what} that stands, as a note says"));
        }
        Ok(())
    }

    /// As Fineract gets them: the reference as receipt number where there is a payment type, else in
    /// the note.
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
            (note, Some(reference)) => Some(noted::written(note.as_deref(), reference)),
            (note, None) => note.clone(),
        }
    }
}

/// What shows whether a payment was made: the loan, and the payment's own transaction.
pub(super) fn evidence_reads(loan: &str, id: OperationId) -> Reads {
    Reads {
        loan: Some(loan.to_owned()),
        transaction: Some(id.to_string()),
        ..Reads::default()
    }
}

/// The operation's own transaction. Read by itself too: an undone one is missing from the loan's list.
pub(super) fn own<'a>(
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
