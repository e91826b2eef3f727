//! `LOAN_UPDATE`: changes a loan application.

#[cfg(test)]
mod tests;

use super::{
    body::{Success, send},
    deployment::Deployment,
    fields::Fields,
    loan_application::{Application, Terms, Tranche, check_term, repayment_every},
    operation::{Context, Evidence, Operation, Plan, Refusal},
    rules,
};
use crate::domain::{
    Amount, Checked, Choice, Day, Facts, Lane, Loan, OperationId, OperationType, Reads, total,
};

/// Changes a loan application. Fineract would delete the values that a change leaves out. So the gateway reads the
/// stored application, replaces the given values and sends the complete application (`docs/fineract/loans.md`,
/// "Changing an application").
#[derive(Debug)]
pub(super) struct LoanUpdate {
    external_id: String,
    principal: Option<Amount>,
    submitted_on: Option<Day>,
    term: Option<i32>,
    unit: Option<Choice>,
    repayments: Option<i32>,
    rate: Option<Amount>,
}

impl Operation for LoanUpdate {
    const TYPE: OperationType = OperationType::LoanUpdate;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let external_id = fields.required_id("externalId");
        let principal = fields.optional("principal", rules::money());
        let submitted_on = fields.optional("submittedOnDate", rules::day());
        let term = fields.optional("loanTermFrequency", rules::count());
        let unit = fields.optional("loanTermFrequencyType", rules::term_unit());
        let repayments = fields.optional("numberOfRepayments", rules::count());
        let rate = fields.optional("interestRatePerPeriod", rules::rate());
        check_term(fields, term, repayments);
        fields.needs_one_of(&[
            "principal",
            "submittedOnDate",
            "loanTermFrequency",
            "loanTermFrequencyType",
            "numberOfRepayments",
            "interestRatePerPeriod",
        ]);
        Some(Self {
            external_id: external_id?,
            principal,
            submitted_on,
            term,
            unit,
            repayments,
            rate,
        })
    }

    fn checked(&self) -> Checked {
        Checked::on(Lane::loan(&self.external_id))
    }

    fn fails_dependents(_: &[String]) -> bool {
        true
    }

    fn reads(&self, _: &Deployment, _: OperationId) -> Reads {
        Reads::of_loan(&self.external_id)
    }

    /// Sends the update even if the loan is already approved, because Fineract's own refusal is the best answer for the
    /// caller.
    fn plan(&self, facts: &Facts, _: &Context<'_>) -> Plan {
        let Some(loan) = &facts.loan else {
            return Refusal::not_found("loan");
        };
        let application = self.terms(loan).and_then(|terms| {
            let tranches = self.tranches(loan, terms)?;
            Ok(Application::changed(
                loan,
                &self.external_id,
                terms,
                tranches,
            ))
        });
        match application {
            Ok(application) => send(Self::TYPE, loan.id, &application),
            Err(refusal) => Plan::Refuse(refusal),
        }
    }

    /// An update leaves no mark of its own in Fineract, and its only effect is that Fineract stores its values. If
    /// Fineract stores all of these values, it does not matter which command has stored them.
    fn evidence(&self, facts: &Facts, _: &Context<'_>) -> Evidence {
        match &facts.loan {
            None => Evidence::CannotTell("loan_not_found"),
            Some(loan) if self.matches(loan) => Evidence::Ours(Success::loan(loan).body()),
            Some(_) => Evidence::Absent,
        }
    }
}

impl LoanUpdate {
    fn terms(&self, loan: &Loan) -> Result<Terms, Refusal> {
        let term = self.term.unwrap_or(loan.term_frequency);
        let unit = self.unit.unwrap_or(loan.term_period_frequency_type);
        let repayments = self.repayments.unwrap_or(loan.number_of_repayments);
        let repayment_every = if self.term.or(self.repayments).is_some() {
            repayment_every(term, repayments).ok_or_else(|| Refusal {
                code: "term_not_a_multiple",
                message: "Not sent: loanTermFrequency is not a whole multiple of numberOfRepayments; the value \
                          that was not given is that of the stored loan"
                    .to_owned(),
            })?
        } else {
            loan.repayment_every
        };
        let stored = &loan.timeline;
        let Some(submitted_on) = self.submitted_on.or(stored.submitted_on_date) else {
            return Err(Refusal {
                code: "loan_without_dates",
                message: "Not sent: the stored loan has no submission date".to_owned(),
            });
        };
        Ok(Terms {
            principal: self.principal.unwrap_or(loan.proposed_principal),
            submitted_on_date: submitted_on,
            expected_disbursement_date: stored
                .expected_disbursement_date
                .map_or(submitted_on, |expected| expected.max(submitted_on)),
            loan_term_frequency: term,
            loan_term_frequency_type: unit,
            number_of_repayments: repayments,
            repayment_every,
            repayment_frequency_type: unit,
            interest_rate_per_period: self.rate.or(loan.interest_rate_per_period),
        })
    }

    /// The stored tranches. A tranche whose expected date is before the first disbursement gets the date of the first
    /// disbursement. A single tranche gets the new principal if the update changes the principal.
    fn tranches(&self, loan: &Loan, terms: Terms) -> Result<Vec<Tranche>, Refusal> {
        if !loan.multi_disburse_loan || loan.disallow_expected_disbursements {
            return Ok(Vec::new());
        }
        let expected_on = terms.expected_disbursement_date;
        let mut tranches: Vec<Tranche> = loan
            .disbursement_details
            .iter()
            .map(|stored| Tranche {
                expected_disbursement_date: stored.expected_disbursement_date.max(expected_on),
                principal: stored.principal,
            })
            .collect();
        tranches.sort_by_key(|tranche| tranche.expected_disbursement_date);
        match (tranches.as_mut_slice(), self.principal) {
            ([], _) => tranches.push(Tranche {
                expected_disbursement_date: expected_on,
                principal: terms.principal,
            }),
            ([single], Some(principal)) => single.principal = principal,
            _ => {}
        }
        let planned = total(tranches.iter().map(|tranche| tranche.principal));
        if self.principal.is_some_and(|principal| planned > principal) {
            return Err(Refusal {
                code: "tranches_exceed_principal",
                message: "Not sent: the loan's tranches together exceed the new principal"
                    .to_owned(),
            });
        }
        Ok(tranches)
    }

    fn matches(&self, loan: &Loan) -> bool {
        self.principal
            .is_none_or(|principal| loan.proposed_principal == principal)
            && self
                .submitted_on
                .is_none_or(|day| loan.timeline.submitted_on_date == Some(day))
            && self.term.is_none_or(|term| loan.term_frequency == term)
            && self
                .unit
                .is_none_or(|unit| loan.term_period_frequency_type == unit)
            && self
                .repayments
                .is_none_or(|repayments| loan.number_of_repayments == repayments)
            && self
                .rate
                .is_none_or(|rate| loan.interest_rate_per_period == Some(rate))
    }
}
