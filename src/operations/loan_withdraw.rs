use serde::Serialize;

use super::{
    Checked, Context, Day, Deployment, Evidence, Facts, Operation, Plan, Reads, Refusal,
    body::{DATE_FORMAT, LOCALE, Success, send},
    fields::Fields,
    rules,
};
use crate::domain::{Lane, LaneAccess, Method, OperationId, OperationType};

/// Withdraws a loan application for its client, for good (`CONTRACT.md` section 11.2).
#[derive(Debug)]
pub(super) struct LoanWithdraw {
    loan: String,
    withdrawn_on: Day,
    note: Option<String>,
}

/// What Fineract gets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    withdrawn_on_date: Day,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    locale: &'static str,
    date_format: &'static str,
}

/// The state that it leads to; nothing leads out of it (`CONTRACT.md` section 16.2).
const WITHDRAWN: i32 = 400;

impl Operation for LoanWithdraw {
    const TYPE: OperationType = OperationType::LoanWithdraw;
    /// A second command finds the loan withdrawn already.
    const LATE_COMMAND_HARMLESS: bool = true;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required("external_loan_id", rules::external_id);
        let withdrawn_on = fields.required("withdrawnOnDate", rules::day);
        let note = fields.optional("note", rules::note);
        Some(Self {
            loan: loan?,
            withdrawn_on: withdrawn_on?,
            note,
        })
    }

    fn checked(&self) -> Checked {
        Checked {
            lanes: LaneAccess {
                writes: Lane::loan(&self.loan),
                reads: None,
            },
            reference: None,
            lender: None,
        }
    }

    fn fells(_: &[String]) -> bool {
        false
    }

    fn reads(&self, _: &Deployment, _: OperationId) -> Reads {
        Reads {
            loan: Some(self.loan.clone()),
            ..Reads::default()
        }
    }

    fn plan(&self, facts: &Facts, _: &Context<'_>) -> Plan {
        let Some(loan) = &facts.loan else {
            return Refusal::not_found("loan");
        };
        send(
            Method::Post,
            format!("/loans/{}?command=withdrawnByApplicant", loan.id),
            &Body {
                withdrawn_on_date: self.withdrawn_on,
                note: self.note.as_deref(),
                locale: LOCALE,
                date_format: DATE_FORMAT,
            },
        )
    }

    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(loan) = &facts.loan else {
            return Evidence::CannotTell("loan_not_found");
        };
        let timeline = &loan.timeline;
        if loan.status.id != WITHDRAWN {
            Evidence::Absent
        } else if timeline.withdrawn_on_date == Some(self.withdrawn_on)
            && context.is_own(timeline.withdrawn_by_username.as_deref())
        {
            Evidence::Ours(Success::loan(loan).body())
        } else {
            Evidence::NotOurs("The loan was withdrawn by somebody else".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::testing::{Case, body_of, evidence, loan, plan, problems};

    const PAYLOAD: &str =
        r#"{"external_loan_id":"LOAN-123","withdrawnOnDate":"11 January 2024","note":"no"}"#;

    #[test]
    fn it_goes_by_number_with_its_day_and_note() {
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
