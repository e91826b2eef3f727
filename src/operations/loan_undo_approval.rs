//! `LOAN_UNDO_APPROVAL`: undoes the approval of a loan.

use super::undo::{Step, Undo};
use crate::domain::{LoanTimeline, OperationType};

/// Undoes an approval (`docs/fineract/loans.md`, "Undoing an approval").
pub(super) type LoanUndoApproval = Undo<Approval>;

/// The approval of a loan that is not disbursed.
#[derive(Debug)]
pub(super) enum Approval {}

impl Step for Approval {
    const UNDO: OperationType = OperationType::LoanUndoApproval;
    /// After the undo, a late approval could approve the loan again.
    const REOPENS: Option<OperationType> = Some(OperationType::LoanApprove);
    const LOAN_STATUS: i32 = 200;

    fn taken_by(timeline: &LoanTimeline) -> Option<&str> {
        timeline.approved_by_username.as_deref()
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
            let plan = plan::<LoanUndoApproval>(payload, &loan(&[]), Case::default());
            assert_eq!(
                body_of(&plan, Method::Post, "/loans/9?command=undoapproval"),
                body
            );
        }
        assert_eq!(
            problems::<LoanUndoApproval>(r#"{"note":1,"locale":"en"}"#),
            [
                "/data/external_loan_id required",
                "/data/note wrong_type",
                "/data/locale unknown_field"
            ]
        );
    }

    #[test]
    fn only_our_own_approval_shows_that_it_was_not_undone() {
        let loan_with_step = |status: i32, user: &str| {
            let status = format!("\"status\":{{\"id\":{status}");
            let timeline = format!(r#""timeline":{{"approvedByUsername":"{user}","#);
            loan(&[
                ("\"status\":{\"id\":100", &status),
                ("\"timeline\":{", &timeline),
            ])
        };
        for (facts, expected) in [
            (loan_with_step(200, "Mifos"), "absent"),
            (loan_with_step(200, "clerk"), "cannot tell"),
            (loan_with_step(100, "mifos"), "cannot tell"),
            (loan(&[]), "cannot tell"),
            (Facts::default(), "cannot tell"),
        ] {
            assert_eq!(
                evidence::<LoanUndoApproval>(PAYLOAD, &facts, Case::default()),
                expected
            );
        }
    }
}
