use super::undo::{Step, Undo};
use crate::domain::{LoanTimeline, OperationType};

/// Takes every payout of a loan back, and with them all its transactions, repayments too
/// (`docs/fineract/payments.md`, "Undoing payouts").
pub(super) type LoanUndoDisbursal = Undo<Disbursal>;

/// A loan that has been paid out, and is running.
#[derive(Debug)]
pub(super) enum Disbursal {}

impl Step for Disbursal {
    const UNDO: OperationType = OperationType::LoanUndoDisbursal;
    const REOPENS: Option<OperationType> = None;
    const STATE: i32 = 300;

    fn by(timeline: &LoanTimeline) -> Option<&str> {
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
    fn it_goes_by_number_with_nothing_but_a_note() {
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
    fn only_our_own_payout_proves_that_it_has_not_happened() {
        let standing = |status: i32, user: &str| {
            let status = format!("\"status\":{{\"id\":{status}");
            let timeline = format!(r#""timeline":{{"disbursedByUsername":"{user}","#);
            loan(&[
                ("\"status\":{\"id\":100", &status),
                ("\"timeline\":{", &timeline),
            ])
        };
        for (facts, expected) in [
            (standing(300, "Mifos"), "absent"),
            (standing(300, "clerk"), "cannot tell"),
            (standing(200, "mifos"), "cannot tell"),
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
