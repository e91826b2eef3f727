//! `LOAN_CREATE`: submits a loan application with the product of a lender.

#[cfg(test)]
mod tests;

use super::{
    body::{Success, create},
    deployment::Deployment,
    fields::Fields,
    loan_application::{Application, Terms, check_term, repayment_every},
    operation::{Context, Evidence, Operation, Plan, Refusal},
    rules,
};
use crate::domain::{
    Amount, Checked, Choice, Day, Facts, Lane, LaneAccess, Loan, OperationId, OperationType, Reads,
};

/// Submits a loan application (`docs/fineract/loans.md`, "From a product to an application" and "Filing an
/// application").
#[derive(Debug)]
pub(super) struct LoanCreate {
    lender: String,
    external_id: String,
    client: String,
    principal: Amount,
    submitted_on: Day,
    term: i32,
    unit: Choice,
    repayments: i32,
    rate: Amount,
}

impl Operation for LoanCreate {
    const TYPE: OperationType = OperationType::LoanCreate;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let deployment = fields.deployment;
        let lender = fields.required("lenderConfig", rules::lender(deployment));
        let external_id = fields.required_id("externalId");
        let principal = fields.required("principal", rules::money());
        let submitted_on = fields.required("submittedOnDate", rules::day());
        let term = fields.required("loanTermFrequency", rules::count());
        let unit = fields.optional("loanTermFrequencyType", rules::term_unit());
        let repayments = fields.required("numberOfRepayments", rules::count());
        let rate = fields.required("interestRatePerPeriod", rules::rate());
        let client = fields.required_id("clientId");
        check_term(fields, term, repayments);
        Some(Self {
            lender: lender?,
            external_id: external_id?,
            client: client?,
            principal: principal?,
            submitted_on: submitted_on?,
            term: term?,
            unit: unit.unwrap_or(rules::MONTHS),
            repayments: repayments?,
            rate: rate?,
        })
    }

    fn checked(&self) -> Checked {
        Checked {
            lanes: LaneAccess {
                writes: Lane::loan(&self.external_id),
                reads: Some(Lane::client(&self.client)),
            },
            reference: None,
            lender: Some(self.lender.clone()),
        }
    }

    fn fails_dependents(_: &[String]) -> bool {
        true
    }

    fn reads(&self, deployment: &Deployment, _: OperationId) -> Reads {
        Reads {
            client: Some(self.client.clone()),
            product: deployment.product_of(&self.lender).map(str::to_owned),
            ..Reads::default()
        }
    }

    fn plan(&self, facts: &Facts, _: &Context<'_>) -> Plan {
        let Some(client) = &facts.client else {
            return Refusal::not_found("client");
        };
        let Some(product) = &facts.product else {
            return Refusal::not_found("loan product");
        };
        let terms = Terms {
            principal: self.principal,
            submitted_on_date: self.submitted_on,
            expected_disbursement_date: self.submitted_on,
            loan_term_frequency: self.term,
            loan_term_frequency_type: self.unit,
            number_of_repayments: self.repayments,
            // The check at acceptance refuses a term that is not a multiple of the number of repayments.
            repayment_every: repayment_every(self.term, self.repayments).unwrap_or(1),
            repayment_frequency_type: self.unit,
            interest_rate_per_period: Some(self.rate),
        };
        let application = Application::new(client.id, product, &self.external_id, terms);
        create(Self::TYPE, &application)
    }

    fn evidence_reads(&self, deployment: &Deployment, id: OperationId) -> Reads {
        Reads {
            loan: Some(self.external_id.clone()),
            ..self.reads(deployment, id)
        }
    }

    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(loan) = &facts.loan else {
            return Evidence::Absent;
        };
        if context.known_id == Some(loan.id) {
            return Evidence::NotOurs("The loan was created by an earlier operation".to_owned());
        }
        if loan.external_id.as_deref() != Some(&self.external_id)
            || !context.is_own(loan.timeline.submitted_by_username.as_deref())
        {
            return Evidence::NotOurs("The loan was created by somebody else".to_owned());
        }
        if self.matches(loan, facts) {
            Evidence::Ours(Success::loan(loan).body())
        } else {
            Evidence::Changed(Success::loan(loan).body())
        }
    }
}

impl LoanCreate {
    fn matches(&self, loan: &Loan, facts: &Facts) -> bool {
        facts
            .client
            .as_ref()
            .is_some_and(|client| client.id == loan.client_id)
            && facts
                .product
                .as_ref()
                .is_some_and(|product| product.id == loan.loan_product_id)
            && loan.proposed_principal == self.principal
            && loan.timeline.submitted_on_date == Some(self.submitted_on)
            && loan.term_frequency == self.term
            && loan.term_period_frequency_type == self.unit
            && loan.number_of_repayments == self.repayments
            && loan.interest_rate_per_period == Some(self.rate)
    }
}
