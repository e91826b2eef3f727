//! Notes of loans and of their transactions, as far as Fineract's source shows them. No recording contains any.
//!
//! The note of an approval or disbursement belongs to the loan, that of a repayment to its transaction
//! (`Note.loanNote`, `Note.loanTransactionNote`). `associations=notes` lists both, the latest first
//! (`NoteReadPlatformServiceImpl`). The times of the notes are omitted, because the source does not show their format.

use super::{Loan, Note};
use crate::books::{Context, next};
use crate::json::{Object, object};
use crate::params::Params;

impl Loan {
    /// Stores the note in a command, for the loan or for one of its transactions.
    pub(super) fn note(
        &mut self,
        context: &mut Context<'_>,
        params: &Params,
        transaction: Option<i64>,
    ) {
        let Some(text) = params.text("note").filter(|text| !text.trim().is_empty()) else {
            return;
        };
        self.notes.push(Note {
            id: next(&mut context.books.ids.note),
            transaction,
            text,
            by: context.user.who.clone(),
        });
    }
}

/// The notes, the latest first.
pub(super) fn list(loan: &Loan) -> Vec<Object> {
    let of_loan = (200_i64, "noteType.loan", "Loan note");
    let of_transaction = (
        300_i64,
        "noteType.loan.transaction",
        "Loan transaction note",
    );
    let described = |note: &Note| {
        let (id, code, value) = note.transaction.map_or(of_loan, |_| of_transaction);
        object! {
            "id": note.id,
            "clientId": loan.client_id,
            "loanId": loan.id,
            "loanTransactionId": note.transaction,
            "noteType": object! {"id": id, "code": code, "value": value},
            "note": note.text.as_str(),
            "createdByUsername": note.by.username.as_str(),
            "updatedByUsername": note.by.username.as_str(),
        }
    };
    loan.notes.iter().rev().map(described).collect()
}
