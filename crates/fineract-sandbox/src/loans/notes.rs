//! Notes of loans and of their transactions. No recording contains notes, so this behaviour is taken from the source
//! code of Fineract.
//!
//! The note of an approval or disbursement belongs to the loan (`Note.loanNote`). The note of a repayment belongs to
//! its transaction (`Note.loanTransactionNote`). A read with `associations=notes` lists all notes, the latest first
//! (`NoteReadPlatformServiceImpl`). The times of the notes are omitted, because the source does not show their format.

use super::{Loan, Note};
use crate::books::{Context, next};
use crate::json::{Object, object};
use crate::params::Params;

impl Loan {
    /// Stores the note of a command, if the command contains one. The note belongs to this transaction or, without a
    /// transaction, to the loan.
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
