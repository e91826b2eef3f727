//! `LOAN_DISBURSE`: disburses a loan or its next tranche.
//!
//! Fineract itself would execute the same payment twice. The guard prevents this, together with a transaction
//! `externalId` that is the same in every attempt.

mod guard;
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

const AMOUNT: &str = "transactionAmount";

/// Disburses a loan, or its next tranche (`docs/fineract/payments.md`, "Paying out").
#[derive(Debug)]
pub(super) struct LoanDisburse {
    loan: String,
    paid_on: Day,
    amount: Option<Amount>,
    remarks: Remarks,
}

/// The request body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    actual_disbursement_date: Day,
    /// The amount is always sent. Without an amount, Fineract may pay the whole principal again.
    transaction_amount: Amount,
    external_id: String,
    #[serde(flatten)]
    remarks: RemarksBody<'a>,
    locale: &'static str,
    date_format: &'static str,
}

impl Operation for LoanDisburse {
    const TYPE: OperationType = OperationType::LoanDisburse;
    const GUARDED: bool = true;
    const ALL_WITHOUT: Option<&'static str> = Some(AMOUNT);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required_id("external_loan_id");
        let paid_on = fields.required("actualDisbursementDate", rules::day());
        let amount = fields.optional(AMOUNT, rules::money());
        let remarks = Remarks::read(fields);
        Some(Self {
            loan: loan?,
            paid_on: paid_on?,
            amount,
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
            direction: Direction::Withdrawal,
            loan: self.loan.clone(),
            amount: self.amount,
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
        let planned = match own_transaction(loan, facts, context.id) {
            Some(paid) if paid.stands() => {
                return Plan::Done(Success::disbursement(loan, paid).body());
            }
            Some(_) => Err(Refusal {
                code: "disbursement_undone",
                message: "Not sent: this disbursement was made already, and then undone".to_owned(),
            }),
            None => self
                .remarks
                .check_reference(loan, loan.disbursements(), context, "disbursement")
                .and_then(|()| guard::amount_to_pay(loan, self.amount)),
        };
        match planned {
            Ok(amount) => send(
                Self::TYPE,
                loan.id,
                &Body {
                    actual_disbursement_date: self.paid_on,
                    transaction_amount: amount,
                    external_id: context.id.to_string(),
                    remarks: self.remarks.body(facts.payment_type_id()),
                    locale: LOCALE,
                    date_format: DATE_FORMAT,
                },
            ),
            Err(refusal) => Plan::Refuse(refusal),
        }
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
            Some(paid) if paid.stands() => Evidence::Ours(Success::disbursement(loan, paid).body()),
            Some(_) => Evidence::NotOurs("The disbursement was made, and then undone".to_owned()),
        }
    }

    fn reads_after(&self) -> Option<Reads> {
        Some(Reads::of_loan(&self.loan))
    }

    /// Other users of Fineract can pay out without the guard, and Fineract executes such payments even beyond the
    /// approved principal (`docs/fineract/payments.md`, "Paying beyond the tranches").
    fn alarm(facts: &Facts) -> Option<&'static str> {
        let loan = facts.loan.as_ref()?;
        (loan.paid() > loan.approved_principal).then_some("paid_more_than_approved")
    }
}
