//! `LOAN_WITHDRAW`: withdraws a loan application.

use super::end_application::{ApplicationEnd, EndApplication};
use crate::domain::{Day, LoanTimeline, OperationType};

/// Withdraws a loan application permanently, on behalf of its client (`docs/fineract/loans.md`, "Rejecting and
/// withdrawing").
pub(super) type LoanWithdraw = EndApplication<Withdrawal>;

/// The client withdraws the application.
#[derive(Debug)]
pub(super) enum Withdrawal {}

impl ApplicationEnd for Withdrawal {
    const TYPE: OperationType = OperationType::LoanWithdraw;
    const DATE_FIELD: &'static str = "withdrawnOnDate";
    const LOAN_STATUS: i32 = 400;
    const ENDED_BY_ANOTHER: &'static str = "The loan was withdrawn by somebody else";

    fn ended_on(timeline: &LoanTimeline) -> Option<Day> {
        timeline.withdrawn_on_date
    }

    fn ended_by(timeline: &LoanTimeline) -> Option<&str> {
        timeline.withdrawn_by_username.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Facts, Method};
    use crate::operations::testing::{Case, body_of, evidence, loan, plan, problems};

    const PAYLOAD: &str =
        r#"{"external_loan_id":"LOAN-123","withdrawnOnDate":"11 January 2024","note":"no"}"#;

    #[test]
    fn it_is_sent_by_number_with_its_date_and_note() {
        let end = r#""locale":"en","dateFormat":"dd MMMM yyyy"}"#;
        for (payload, note) in [
            (PAYLOAD.to_owned(), r#""note":"no","#),
            (PAYLOAD.replace(r#","note":"no""#, ""), ""),
        ] {
            let plan = plan::<LoanWithdraw>(&payload, &loan(&[]), Case::default());
            assert_eq!(
                body_of(&plan, Method::Post, "/loans/9?command=withdrawnByApplicant"),
                format!(r#"{{"withdrawnOnDate":"11 January 2024",{note}{end}"#)
            );
        }
        assert_eq!(
            problems::<LoanWithdraw>(r#"{"note":""}"#),
            [
                "/data/external_loan_id required",
                "/data/withdrawnOnDate required",
                "/data/note blank"
            ]
        );
    }

    #[test]
    fn evidence_is_the_state_our_day_and_our_user() {
        let ended = |status: i32, day: &str, user: &str| {
            let status = format!("\"status\":{{\"id\":{status}");
            let timeline =
                format!(r#""timeline":{{"withdrawnOnDate":{day},"withdrawnByUsername":"{user}","#);
            loan(&[
                ("\"status\":{\"id\":100", &status),
                ("\"timeline\":{", &timeline),
            ])
        };
        let ours = concat!(
            r#"{"officeId":1,"clientId":42,"loanId":9,"resourceId":9,"#,
            r#""resourceExternalId":"LOAN-123"}"#
        );
        let others = "not ours: The loan was withdrawn by somebody else";
        for (facts, expected) in [
            (loan(&[]), "absent"),
            (ended(500, "[2024,1,11]", "mifos"), "absent"),
            (ended(400, "[2024,1,11]", "Mifos"), ours),
            (ended(400, "[2024,1,12]", "mifos"), others),
            (ended(400, "[2024,1,11]", "clerk"), others),
            (Facts::default(), "cannot tell"),
        ] {
            assert_eq!(
                evidence::<LoanWithdraw>(PAYLOAD, &facts, Case::default()),
                expected
            );
        }
    }
}
