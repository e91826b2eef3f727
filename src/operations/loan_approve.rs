//! `LOAN_APPROVE`: approves a loan application.

use serde::Serialize;

use super::{
    body::{DATE_FORMAT, LOCALE, Success, send},
    deployment::Deployment,
    fields::Fields,
    operation::{Context, Evidence, Operation, Plan, Refusal},
    rules,
};
use crate::domain::{Checked, Day, Facts, Lane, OperationId, OperationType, Reads};

/// Approves a loan application (`docs/fineract/loans.md`, "Approving").
#[derive(Debug)]
pub(super) struct LoanApprove {
    loan: String,
    approved_on_date: Day,
}

/// The request body. Without `approvedLoanAmount`, Fineract approves the requested amount and leaves the
/// tranches unchanged.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    approved_on_date: Day,
    expected_disbursement_date: Day,
    locale: &'static str,
    date_format: &'static str,
}

impl Operation for LoanApprove {
    const TYPE: OperationType = OperationType::LoanApprove;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required_id("external_loan_id");
        let approved_on_date = fields.required("approvedOnDate", rules::day());
        Some(Self {
            loan: loan?,
            approved_on_date: approved_on_date?,
        })
    }

    fn checked(&self) -> Checked {
        Checked::on(Lane::loan(&self.loan))
    }

    fn fails_dependents(_: &[String]) -> bool {
        true
    }

    fn reads(&self, _: &Deployment, _: OperationId) -> Reads {
        Reads::of_loan(&self.loan)
    }

    fn plan(&self, facts: &Facts, _: &Context<'_>) -> Plan {
        let Some(loan) = &facts.loan else {
            return Refusal::not_found("loan");
        };
        let body = Body {
            approved_on_date: self.approved_on_date,
            // Without this date, Fineract compares the date of the approval with the stored expected date, and refuses
            // an approval after the stored date.
            expected_disbursement_date: loan
                .timeline
                .expected_disbursement_date
                .map_or(self.approved_on_date, |stored| {
                    stored.max(self.approved_on_date)
                }),
            locale: LOCALE,
            date_format: DATE_FORMAT,
        };
        send(Self::TYPE, loan.id, &body)
    }

    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(loan) = &facts.loan else {
            return Evidence::CannotTell("loan_not_found");
        };
        let Some(approved_on) = loan
            .timeline
            .approved_on_date
            .filter(|_| loan.status.id != 100)
        else {
            return Evidence::Absent;
        };
        if approved_on == self.approved_on_date
            && context.is_own(loan.timeline.approved_by_username.as_deref())
        {
            Evidence::Ours(Success::loan(loan).body())
        } else {
            Evidence::NotOurs("The loan was approved by somebody else".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Method;
    use crate::operations::testing::{Case, body_of, evidence, loan, plan, problems};

    const PAYLOAD: &str = r#"{"external_loan_id":"LOAN-123","approvedOnDate":"10 January 2024"}"#;

    #[test]
    fn the_disbursement_is_expected_on_the_later_day() {
        for (stored, sent) in [
            ("\"expectedDisbursementDate\":[2024,1,9]", "10 January 2024"),
            (
                "\"expectedDisbursementDate\":[2024,1,12]",
                "12 January 2024",
            ),
            ("\"none\":0", "10 January 2024"),
        ] {
            let facts = loan(&[("\"expectedDisbursementDate\":[2024,1,10]", stored)]);
            let plan = plan::<LoanApprove>(PAYLOAD, &facts, Case::default());
            assert_eq!(
                body_of(&plan, Method::Post, "/loans/9?command=approve"),
                format!(
                    concat!(
                        r#"{{"approvedOnDate":"10 January 2024","expectedDisbursementDate":"{}","#,
                        r#""locale":"en","dateFormat":"dd MMMM yyyy"}}"#
                    ),
                    sent
                )
            );
        }
    }

    #[test]
    fn both_fields_are_required() {
        let expected = [
            "/data/external_loan_id required",
            "/data/approvedOnDate required",
            "/data/externalId unknown_field",
        ];
        assert_eq!(
            problems::<LoanApprove>(r#"{"externalId":"LOAN-1"}"#),
            expected
        );
    }

    #[test]
    fn evidence_is_our_date_and_our_user() {
        let approved = |status: &str, day: &str, user: &str| {
            let timeline =
                format!(r#""timeline":{{"approvedOnDate":{day},"approvedByUsername":"{user}","#);
            loan(&[
                ("\"status\":{\"id\":100", status),
                ("\"timeline\":{", &timeline),
            ])
        };
        let (at_200, at_300) = ("\"status\":{\"id\":200", "\"status\":{\"id\":300");
        let ours = concat!(
            r#"{"officeId":1,"clientId":42,"loanId":9,"resourceId":9,"#,
            r#""resourceExternalId":"LOAN-123"}"#
        );
        let others = "not ours: The loan was approved by somebody else";
        for (facts, expected) in [
            (loan(&[]), "absent"),
            (
                approved("\"status\":{\"id\":100", "[2024,1,10]", "mifos"),
                "absent",
            ),
            (
                loan(&[("\"status\":{\"id\":100", "\"status\":{\"id\":500")]),
                "absent",
            ),
            (approved(at_200, "[2024,1,10]", "mifos"), ours),
            (approved(at_300, "[2024,1,10]", "Mifos"), ours),
            (approved(at_200, "[2024,1,11]", "mifos"), others),
            (approved(at_200, "[2024,1,10]", "clerk"), others),
            (Facts::default(), "cannot tell"),
        ] {
            assert_eq!(
                evidence::<LoanApprove>(PAYLOAD, &facts, Case::default()),
                expected
            );
        }
    }
}
