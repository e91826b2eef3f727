//! `LOAN_UNDO_DISBURSAL`: undoes the disbursements of a loan.

use super::undo::{Step, Undo};
use crate::domain::{LoanTimeline, OperationType};

/// Undoes every disbursement of a loan. Fineract then also undoes all other transactions of the loan, including
/// repayments (`docs/fineract/payments.md`, "Undoing payouts").
pub(super) type LoanUndoDisbursal = Undo<Disbursal>;

/// The disbursement of an active loan.
#[derive(Debug)]
pub(super) enum Disbursal {}

impl Step for Disbursal {
    const UNDO: OperationType = OperationType::LoanUndoDisbursal;
    const REOPENS: Option<OperationType> = None;
    const LOAN_STATUS: i32 = 300;

    fn taken_by(timeline: &LoanTimeline) -> Option<&str> {
        timeline.disbursed_by_username.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Facts, Method};
    use crate::operations::testing::{Case, body_of, evidence, loan, plan, problems};

    const PAYLOAD: &str = r#"{"external_loan_id":"LOAN-123"}"#;

    #[test]
    fn it_is_sent_by_number_with_only_a_note() {
        for (payload, body) in [
            (PAYLOAD, "{}"),
            (
                r#"{"external_loan_id":"LOAN-123","note":"back"}"#,
                r#"{"note":"back"}"#,
            ),
        ] {
            let plan = plan::<LoanUndoDisbursal>(payload, &loan(&[]), Case::default());
            assert_eq!(
                body_of(&plan, Method::Post, "/loans/9?command=undodisbursal"),
                body
            );
        }
        assert_eq!(
            problems::<LoanUndoDisbursal>(r#"{"note":1,"locale":"en"}"#),
            [
                "/data/external_loan_id required",
                "/data/note wrong_type",
                "/data/locale unknown_field"
            ]
        );
    }

    #[test]
    fn only_our_own_disbursement_shows_that_it_was_not_undone() {
        let loan_with_step = |status: i32, user: &str| {
            let status = format!("\"status\":{{\"id\":{status}");
            let timeline = format!(r#""timeline":{{"disbursedByUsername":"{user}","#);
            loan(&[
                ("\"status\":{\"id\":100", &status),
                ("\"timeline\":{", &timeline),
            ])
        };
        for (facts, expected) in [
            (loan_with_step(300, "Mifos"), "absent"),
            (loan_with_step(300, "clerk"), "cannot tell"),
            (loan_with_step(200, "mifos"), "cannot tell"),
            (loan(&[]), "cannot tell"),
            (Facts::default(), "cannot tell"),
        ] {
            assert_eq!(
                evidence::<LoanUndoDisbursal>(PAYLOAD, &facts, Case::default()),
                expected
            );
        }
    }
}
