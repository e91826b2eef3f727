//! Notes of loans and of their transactions, as far as Fineract's source shows them: no recording holds any.
//!
//! An approval's and a payout's are the loan's, a repayment's is its transaction's (`Note.loanNote`,
//! `Note.loanTransactionNote`); `associations=notes` lists both, the latest first
//! (`NoteReadPlatformServiceImpl`). When they were written is left out: how that reads is not in the source.

use super::{Loan, Note};
use crate::books::{Desk, next};
use crate::json::{Object, object};
use crate::params::Params;

impl Loan {
    /// Keeps the note that came with a command, of the loan or of a transaction.
    pub(super) fn note(&mut self, desk: &mut Desk<'_>, params: &Params, transaction: Option<i64>) {
        let Some(text) = params.text("note").filter(|text| !text.trim().is_empty()) else {
            return;
        };
        self.notes.push(Note {
            id: next(&mut desk.books.ids.note),
            transaction,
            text,
            by: desk.user.who.clone(),
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
