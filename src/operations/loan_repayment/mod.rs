//! `LOAN_REPAYMENT`: books a repayment of a loan.
//!
//! Fineract itself would book the same repayment any number of times. A transaction `externalId` that is the same in
//! every attempt prevents this.

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::{
    body::{DATE_FORMAT, LOCALE, Success, send},
    deployment::Deployment,
    fields::Fields,
    movement::Movement,
    operation::{Context, Evidence, Operation, Plan, Refusal},
    payment::{self, Remarks, RemarksBody, own_transaction},
    rules,
};
use crate::domain::{
    Amount, Checked, Day, Direction, Facts, Lane, OperationId, OperationType, Reads,
};

/// Books a repayment (`docs/fineract/payments.md`, "Repayments").
#[derive(Debug)]
pub(super) struct LoanRepayment {
    loan: String,
    paid_on: Day,
    amount: Amount,
    remarks: Remarks,
}

/// The request body.
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
    const GUARDED: bool = true;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required_id("external_loan_id");
        let paid_on = fields.required("transactionDate", rules::day());
        let amount = fields.required("transactionAmount", rules::money());
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
            reference: self.remarks.reference.clone(),
            ..Checked::on(Lane::loan(&self.loan))
        }
    }

    fn fails_dependents(_: &[String]) -> bool {
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
        match own_transaction(loan, facts, context.id) {
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
        let not_undone = loan.repayments();
        if let Err(refusal) = self
            .remarks
            .check_reference(loan, not_undone, context, "repayment")
        {
            return Plan::Refuse(refusal);
        }
        send(
            Self::TYPE,
            loan.id,
            &Body {
                transaction_date: self.paid_on,
                transaction_amount: self.amount,
                external_id: context.id.to_string(),
                remarks: self.remarks.body(facts.payment_type_id()),
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
        match own_transaction(loan, facts, context.id) {
            None => Evidence::Absent,
            Some(paid) if paid.stands() => Evidence::Ours(Success::repayment(loan, paid).body()),
            Some(_) => Evidence::NotOurs("The repayment was booked, and then undone".to_owned()),
        }
    }
}
