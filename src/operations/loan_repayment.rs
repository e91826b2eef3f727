use serde::Serialize;

use super::{
    Checked, Context, Day, Deployment, Evidence, Facts, Movement, Operation, Plan, Reads, Refusal,
    body::{DATE_FORMAT, LOCALE, Success, send},
    fields::Fields,
    payment::{self, Remarks, RemarksBody, own},
    rules,
};
use crate::domain::{Amount, Direction, Lane, LaneAccess, Method, OperationId, OperationType};

/// Books what a borrower has paid back (`CONTRACT.md` section 11.3). Fineract takes the same repayment
/// again and again; what keeps it from that is the transaction externalId, the same in every attempt.
#[derive(Debug)]
pub(super) struct LoanRepayment {
    loan: String,
    paid_on: Day,
    amount: Amount,
    remarks: Remarks,
}

/// What Fineract gets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    transaction_date: Day,
    transaction_amount: Amount,
    external_id: String,
    #[serde(flatten)]
    remarks: RemarksBody<'a>,
    locale: &'static str,
    date_format: &'static str,
}

impl Operation for LoanRepayment {
    const TYPE: OperationType = OperationType::LoanRepayment;
    /// Both commands carry the same transaction externalId.
    const LATE_COMMAND_HARMLESS: bool = true;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required("external_loan_id", rules::external_id);
        let paid_on = fields.required("transactionDate", rules::day);
        let amount = fields.required("transactionAmount", rules::money);
        let remarks = Remarks::read(fields);
        Some(Self {
            loan: loan?,
            paid_on: paid_on?,
            amount: amount?,
            remarks,
        })
    }

    fn checked(&self) -> Checked {
        Checked {
            lanes: LaneAccess {
                writes: Lane::loan(&self.loan),
                reads: None,
            },
            reference: self.remarks.reference.clone(),
            lender: None,
        }
    }

    fn fells(_: &[String]) -> bool {
        false
    }

    fn moves(&self, deployment: &Deployment) -> Option<Movement> {
        Some(Movement {
            direction: Direction::Payment,
            loan: self.loan.clone(),
            amount: Some(self.amount),
            reference: self.remarks.reference.clone(),
            method: self.remarks.method(deployment),
        })
    }

    fn reads(&self, deployment: &Deployment, id: OperationId) -> Reads {
        self.remarks.reads(&self.loan, deployment, id)
    }

    fn plan(&self, facts: &Facts, context: &Context<'_>) -> Plan {
        let Some(loan) = &facts.loan else {
            return Refusal::not_found("loan");
        };
        match own(loan, facts, context.id) {
            Some(paid) if paid.stands() => {
                return Plan::Done(Success::repayment(loan, paid).body());
            }
            Some(_) => {
                return Plan::Refuse(Refusal {
                    code: "repayment_undone",
                    message: "Not sent: this repayment was booked already, and then undone"
                        .to_owned(),
                });
            }
            None => {}
        }
        let standing = loan.repayments();
        if let Err(refusal) = self.remarks.check_reference(standing, context, "repayment") {
            return Plan::Refuse(refusal);
        }
        send(
            Method::Post,
            format!("/loans/{}/transactions?command=repayment", loan.id),
            &Body {
                transaction_date: self.paid_on,
                transaction_amount: self.amount,
                external_id: context.id.to_string(),
                remarks: self.remarks.body(facts.payment_type),
                locale: LOCALE,
                date_format: DATE_FORMAT,
            },
        )
    }

    fn evidence_reads(&self, _: &Deployment, id: OperationId) -> Reads {
        payment::evidence_reads(&self.loan, id)
    }

    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(loan) = &facts.loan else {
            return Evidence::CannotTell("loan_not_found");
        };
        match own(loan, facts, context.id) {
            None => Evidence::Absent,
            Some(paid) if paid.stands() => Evidence::Ours(Success::repayment(loan, paid).body()),
            Some(_) => Evidence::NotOurs("The repayment was booked, and then undone".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{TrackingId, Transaction},
        operations::testing::{Case, ID, body_of, checked, evidence, loan, plan, problems},
    };

    const PAYLOAD: &str = r#"{"external_loan_id":"LOAN-123","transactionDate":"10 February 2024",
        "transactionAmount":8700.250,"utr_payment_id":"UTR-R1","note":"First"}"#;

    /// The payload with an amount that is taken.
    fn payload() -> String {
        PAYLOAD.replace("8700.250", "8700.25")
    }

    fn repaid(more: &str) -> String {
        format!(
            r#"{{"id":21,"loanId":9,"type":{{"id":2,"repayment":true}},"date":[2024,2,10],
                "amount":8700.250000,"manuallyReversed":false{more}}}"#
        )
    }

    fn own_repaid(more: &str) -> String {
        repaid(&format!(r#","externalId":"{ID}"{more}"#))
    }

    fn with(transaction: &str) -> Facts {
        let list = format!(r#""transactions":[{transaction}]"#);
        loan(&[
            ("\"id\":100,", "\"id\":300,"),
            ("\"transactions\":[]", &list),
        ])
    }

    /// The refusal's code, or `None` where it is sent.
    fn refused(facts: &Facts, case: Case<'_>) -> Option<&'static str> {
        match plan::<LoanRepayment>(&payload(), facts, case) {
            Plan::Refuse(refusal) => Some(refusal.code),
            Plan::Send(_) | Plan::Done(_) => None,
        }
    }

    #[test]
    fn it_carries_the_operations_own_external_id() {
        let facts = Facts {
            payment_type: Some(4),
            ..loan(&[])
        };
        let plan = plan::<LoanRepayment>(&payload(), &facts, Case::default());
        assert_eq!(
            body_of(
                &plan,
                Method::Post,
                "/loans/9/transactions?command=repayment"
            ),
            format!(
                concat!(
                    r#"{{"transactionDate":"10 February 2024","transactionAmount":8700.25,"#,
                    r#""externalId":"{}","paymentTypeId":4,"receiptNumber":"UTR-R1","note":"First","#,
                    r#""locale":"en","dateFormat":"dd MMMM yyyy"}}"#
                ),
                ID
            )
        );
    }

    #[test]
    fn what_is_booked_is_not_booked_again() {
        let done = format!(
            concat!(
                r#"{{"officeId":1,"clientId":42,"loanId":9,"resourceId":21,"#,
                r#""resourceExternalId":"{}"}}"#
            ),
            ID
        );
        let by_itself = Facts {
            transaction: Some(Transaction::parse(&own_repaid("")).unwrap()),
            ..loan(&[])
        };
        for facts in [with(&own_repaid("")), by_itself] {
            let planned = plan::<LoanRepayment>(&payload(), &facts, Case::default());
            assert_eq!(planned, Plan::Done(done.clone()));
            assert_eq!(
                evidence::<LoanRepayment>(&payload(), &facts, Case::default()),
                done
            );
        }
    }

    #[test]
    fn an_undone_repayment_is_not_booked_again() {
        let undone = with(&own_repaid(r#","reversedOnDate":[2024,2,11]"#));
        assert_eq!(refused(&undone, Case::default()), Some("repayment_undone"));
        assert_eq!(
            evidence::<LoanRepayment>(&payload(), &undone, Case::default()),
            "not ours: The repayment was booked, and then undone"
        );
    }

    #[test]
    fn a_reference_is_used_once_for_a_loan() {
        let receipt = |number: &str, more: &str| {
            let detail = format!(r#","paymentDetailData":{{"receiptNumber":"{number}"}}{more}"#);
            with(&repaid(&detail))
        };
        let earlier = Case {
            same_reference: Some(TrackingId {
                operation_type: OperationType::LoanDisburse,
                id: ID,
            }),
            ..Case::default()
        };
        for (facts, case, expected) in [
            (loan(&[]), earlier, Some("reference_used")),
            (
                receipt("UTR-R1", ""),
                Case::default(),
                Some("reference_used"),
            ),
            (receipt("UTR-R2", ""), Case::default(), None),
            (
                receipt("UTR-R1", r#","reversedOnDate":[2024,2,11]"#),
                Case::default(),
                None,
            ),
        ] {
            assert_eq!(refused(&facts, case), expected);
        }
    }

    #[test]
    fn no_transaction_of_ours_means_no_effect() {
        for (facts, expected) in [
            (loan(&[]), "absent"),
            (with(&repaid(r#","externalId":"other""#)), "absent"),
            (Facts::default(), "cannot tell"),
        ] {
            assert_eq!(
                evidence::<LoanRepayment>(&payload(), &facts, Case::default()),
                expected
            );
        }
    }

    #[test]
    fn every_problem_is_told_at_once() {
        for (payload, expected) in [
            (
                r#"{"transactionAmount":0,"actualDisbursementDate":"10 February 2024"}"#,
                vec![
                    "/data/external_loan_id required",
                    "/data/transactionDate required",
                    "/data/transactionAmount zero",
                    "/data/actualDisbursementDate unknown_field",
                ],
            ),
            (PAYLOAD, vec!["/data/transactionAmount too_many_decimals"]),
            (
                r#"{"external_loan_id":"L","transactionDate":"10 February 2024"}"#,
                vec!["/data/transactionAmount required"],
            ),
        ] {
            assert_eq!(problems::<LoanRepayment>(payload), expected);
        }
    }

    #[test]
    fn its_reference_is_known_to_the_lane() {
        let checked = checked::<LoanRepayment>(&payload());
        assert_eq!(checked.reference.as_deref(), Some("UTR-R1"));
        assert_eq!(checked.lanes.writes, Lane::loan("LOAN-123"));
    }
}
