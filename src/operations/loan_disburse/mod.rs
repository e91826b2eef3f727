//! Payouts of loans. Fineract itself pays twice; what keeps it from that is the guard, and a transaction
//! externalId that is the same in every attempt.

mod guard;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::{
    Checked, Context, Day, Deployment, Evidence, Facts, Loan, Operation, Plan, Reads, Refusal,
    Transaction,
    body::{DATE_FORMAT, LOCALE, Success, send},
    fields::Fields,
    rules,
};
use crate::domain::{Amount, Lane, LaneAccess, Method, OperationId, OperationType};

/// Pays a loan out, or its next tranche (`CONTRACT.md` section 10).
#[derive(Debug)]
pub(super) struct LoanDisburse {
    loan: String,
    paid_on: Day,
    amount: Option<Amount>,
    reference: Option<String>,
    note: Option<String>,
}

/// What Fineract gets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    actual_disbursement_date: Day,
    /// Never left out: what Fineract takes instead may be the whole principal once more.
    transaction_amount: Amount,
    external_id: String,
    /// Without it Fineract drops the receipt number in silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_type_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    locale: &'static str,
    date_format: &'static str,
}

impl Operation for LoanDisburse {
    const TYPE: OperationType = OperationType::LoanDisburse;
    /// Both commands carry the same transaction externalId.
    const LATE_COMMAND_HARMLESS: bool = true;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required("external_loan_id", rules::external_id);
        let paid_on = fields.required("actualDisbursementDate", rules::day);
        let amount = fields.optional("transactionAmount", rules::money);
        let reference = fields.optional("utr_payment_id", rules::reference);
        let note = fields.optional("note", rules::note);
        let operation = Self {
            loan: loan?,
            paid_on: paid_on?,
            amount,
            reference,
            note,
        };
        if let Some(note) = operation.note_with_reference()
            && rules::length(&note) > rules::LONGEST_NOTE
        {
            fields.problem(
                "note",
                "too_long",
                "leaves no room for utr_payment_id beside it",
            );
        }
        Some(operation)
    }

    fn checked(&self) -> Checked {
        Checked {
            lanes: LaneAccess {
                writes: Lane::loan(&self.loan),
                reads: None,
            },
            reference: self.reference.clone(),
            lender: None,
        }
    }

    fn fells(_: &[String]) -> bool {
        false
    }

    fn reads(&self, deployment: &Deployment, id: OperationId) -> Reads {
        Reads {
            payment_type: deployment
                .payment_type
                .clone()
                .filter(|_| self.reference.is_some()),
            ..self.evidence_reads(deployment, id)
        }
    }

    fn plan(&self, facts: &Facts, context: &Context<'_>) -> Plan {
        let Some(loan) = &facts.loan else {
            return Refusal::not_found("loan");
        };
        let planned = match own(loan, facts, context.id) {
            Some(paid) if paid.stands() => {
                return Plan::Done(Success::disbursement(loan, paid).body());
            }
            Some(_) => Err(Refusal {
                code: "disbursement_undone",
                message: "Not sent: this disbursement was made already, and then undone".to_owned(),
            }),
            None => self
                .check_reference(loan, context)
                .and_then(|()| guard::amount_to_pay(loan, self.amount)),
        };
        match planned {
            Ok(amount) => send(
                Method::Post,
                format!("/loans/{}?command=disburse", loan.id),
                &self.body(amount, facts.payment_type, context.id),
            ),
            Err(refusal) => Plan::Refuse(refusal),
        }
    }

    fn evidence_reads(&self, _: &Deployment, id: OperationId) -> Reads {
        Reads {
            loan: Some(self.loan.clone()),
            transaction: Some(id.to_string()),
            ..Reads::default()
        }
    }

    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(loan) = &facts.loan else {
            return Evidence::CannotTell("loan_not_found");
        };
        match own(loan, facts, context.id) {
            None => Evidence::Absent,
            Some(paid) if paid.stands() => Evidence::Ours(Success::disbursement(loan, paid).body()),
            Some(_) => Evidence::NotOurs("The disbursement was made, and then undone".to_owned()),
        }
    }

    fn reads_after(&self) -> Option<Reads> {
        Some(Reads {
            loan: Some(self.loan.clone()),
            ..Reads::default()
        })
    }

    /// Others pay without the guard, and Fineract pays them (`CONTRACT.md` section 10.5).
    fn alarm(facts: &Facts) -> Option<&'static str> {
        let loan = facts.loan.as_ref()?;
        (loan.paid() > loan.approved_principal).then_some("paid_more_than_approved")
    }
}

impl LoanDisburse {
    /// One reference pays one loan once.
    fn check_reference(&self, loan: &Loan, context: &Context<'_>) -> Result<(), Refusal> {
        let used = |by: String| {
            Err(Refusal {
                code: "reference_used",
                message: format!("Not sent: this utr_payment_id was used for the loan by {by}"),
            })
        };
        if let Some(earlier) = context.same_reference {
            return used(earlier.to_string());
        }
        let receipt = |paid: &Transaction| {
            let detail = paid.payment_detail_data.as_ref()?;
            detail.receipt_number.clone()
        };
        match &self.reference {
            Some(reference)
                if loan
                    .disbursements()
                    .any(|paid| receipt(paid).as_ref() == Some(reference)) =>
            {
                used("another disbursement that stands".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn body(&self, amount: Amount, payment_type: Option<i64>, id: OperationId) -> Body<'_> {
        let reference = self.reference.as_deref();
        Body {
            actual_disbursement_date: self.paid_on,
            transaction_amount: amount,
            external_id: id.to_string(),
            payment_type_id: payment_type.filter(|_| reference.is_some()),
            receipt_number: reference.filter(|_| payment_type.is_some()),
            note: match payment_type {
                Some(_) => self.note.clone(),
                None => self.note_with_reference(),
            },
            locale: LOCALE,
            date_format: DATE_FORMAT,
        }
    }

    fn note_with_reference(&self) -> Option<String> {
        match (&self.note, &self.reference) {
            (Some(note), Some(reference)) => Some(format!("{note} (UTR {reference})")),
            (None, Some(reference)) => Some(format!("UTR {reference}")),
            (note, None) => note.clone(),
        }
    }
}

/// The operation's own transaction. Read by itself too: an undone one is missing from the loan's list.
fn own<'a>(loan: &'a Loan, facts: &'a Facts, id: OperationId) -> Option<&'a Transaction> {
    let id = id.to_string();
    facts
        .transaction
        .iter()
        .chain(&loan.transactions)
        .find(|transaction| transaction.external_id.as_ref() == Some(&id))
}
