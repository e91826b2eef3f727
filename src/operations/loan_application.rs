//! The request body of a loan application: for a new application and for a change.

use serde::Serialize;

use super::{
    body::{DATE_FORMAT, LOCALE},
    fields::Fields,
};
use crate::domain::{Amount, Choice, Day, Loan, Product};

/// A complete application. Fineract requires a complete application for a change too (`docs/fineract/loans.md`, "From a
/// product to an application" and "Changing an application").
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Application<'a> {
    client_id: i64,
    product_id: i64,
    loan_type: &'static str,
    #[serde(flatten)]
    terms: Terms,
    #[serde(flatten)]
    conditions: ProductConditions<'a>,
    external_id: &'a str,
    locale: &'static str,
    date_format: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    charges: Vec<AppliedCharge>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disbursement_data: Vec<Tranche>,
    #[serde(flatten)]
    carried_over: CarriedOver,
}

/// The terms from the payload. For a change, a term that is missing in the payload has the value of the stored loan.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terms {
    /// The requested principal.
    pub(super) principal: Amount,
    /// The date of the application.
    pub(super) submitted_on_date: Day,
    /// The expected date of the disbursement.
    pub(super) expected_disbursement_date: Day,
    /// The length of the term, in units.
    pub(super) loan_term_frequency: i32,
    /// The unit of the term.
    pub(super) loan_term_frequency_type: Choice,
    /// The number of instalments.
    pub(super) number_of_repayments: i32,
    /// The number of units between two instalments.
    pub(super) repayment_every: i32,
    /// The unit of `repayment_every`. Fineract requires it to be the unit of the term.
    pub(super) repayment_frequency_type: Choice,
    /// The interest rate; `None` for a loan with a floating rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) interest_rate_per_period: Option<Amount>,
}

/// The conditions that the lender's product sets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductConditions<'a> {
    interest_type: Choice,
    interest_calculation_period_type: Choice,
    amortization_type: Choice,
    transaction_processing_strategy_code: &'a str,
    /// The key is misspelt in Fineract's API. If the key is left out, Fineract uses false. With daily interest, the
    /// value must be false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_partial_period_interest_calcualtion: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_equal_amortization: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_outstanding_loan_balance: Option<Amount>,
}

/// Further values of a stored loan that influence its repayment schedule, besides the terms above. A change sends them
/// unchanged. A new application leaves them out, and Fineract takes them from the product.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct CarriedOver {
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_emi_amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_arrears_tolerance: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_on_principal_payment: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_on_interest_payment: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_on_interest_charged: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_on_arrears_ageing: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interest_charged_from_date: Option<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repayments_starting_from_date: Option<Day>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AppliedCharge {
    /// The charge's number on the loan. Without this number, Fineract replaces the stored charge instead of keeping it.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    charge_id: i64,
    /// The amount; for a percentage charge, the percentage.
    amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_date: Option<Day>,
}

/// A planned tranche.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tranche {
    /// The expected date of the tranche's disbursement.
    pub(super) expected_disbursement_date: Day,
    /// The amount of the tranche.
    pub(super) principal: Amount,
}

/// The `interestCalculationPeriodType` of daily interest. Daily interest has no partial periods.
const DAILY: i32 = 0;
/// The `chargeTimeType` of a charge that arises only when an instalment is overdue.
const OVERDUE_INSTALLMENT: i32 = 9;

impl<'a> Application<'a> {
    /// A new application, with the conditions of the product.
    pub(super) fn new(
        client_id: i64,
        product: &'a Product,
        external_id: &'a str,
        terms: Terms,
    ) -> Self {
        let planned = product.multi_disburse_loan && !product.disallow_expected_disbursements;
        let whole = Tranche {
            expected_disbursement_date: terms.expected_disbursement_date,
            principal: terms.principal,
        };
        // Fineract does not add a product's charges to a loan by itself.
        let charges = product
            .charges
            .iter()
            .filter(|charge| charge.charge_time_type.id != OVERDUE_INSTALLMENT)
            .map(|charge| AppliedCharge {
                id: None,
                charge_id: charge.id,
                amount: charge.amount,
                due_date: None,
            });
        Self {
            client_id,
            product_id: product.id,
            loan_type: "individual",
            terms,
            conditions: ProductConditions::from(product),
            external_id,
            locale: LOCALE,
            date_format: DATE_FORMAT,
            charges: charges.collect(),
            disbursement_data: planned.then_some(whole).into_iter().collect(),
            carried_over: CarriedOver::default(),
        }
    }

    /// The stored application with other terms and tranches. Everything else is unchanged.
    pub(super) fn changed(
        loan: &'a Loan,
        external_id: &'a str,
        terms: Terms,
        tranches: Vec<Tranche>,
    ) -> Self {
        let charges = loan.charges.iter().map(|charge| AppliedCharge {
            id: Some(charge.id),
            charge_id: charge.charge_id,
            amount: charge.amount_or_percentage,
            due_date: charge.due_date,
        });
        Self {
            client_id: loan.client_id,
            product_id: loan.loan_product_id,
            loan_type: "individual",
            terms,
            conditions: ProductConditions::from(loan),
            external_id,
            locale: LOCALE,
            date_format: DATE_FORMAT,
            charges: charges.collect(),
            disbursement_data: tranches,
            carried_over: CarriedOver::from(loan),
        }
    }
}

impl<'a> From<&'a Product> for ProductConditions<'a> {
    fn from(product: &'a Product) -> Self {
        Self {
            interest_type: product.interest_type,
            interest_calculation_period_type: product.interest_calculation_period_type,
            amortization_type: product.amortization_type,
            transaction_processing_strategy_code: &product.transaction_processing_strategy_code,
            allow_partial_period_interest_calcualtion: product
                .allow_partial_period_interest_calculation
                && product.interest_calculation_period_type.id != DAILY,
            is_equal_amortization: product.is_equal_amortization,
            max_outstanding_loan_balance: product
                .outstanding_loan_balance
                .filter(|_| product.multi_disburse_loan),
        }
    }
}

impl<'a> From<&'a Loan> for ProductConditions<'a> {
    fn from(loan: &'a Loan) -> Self {
        Self {
            interest_type: loan.interest_type,
            interest_calculation_period_type: loan.interest_calculation_period_type,
            amortization_type: loan.amortization_type,
            transaction_processing_strategy_code: &loan.transaction_processing_strategy_code,
            allow_partial_period_interest_calcualtion: loan
                .allow_partial_period_interest_calculation
                && loan.interest_calculation_period_type.id != DAILY,
            is_equal_amortization: loan.is_equal_amortization,
            max_outstanding_loan_balance: loan
                .max_outstanding_loan_balance
                .filter(|_| loan.multi_disburse_loan),
        }
    }
}

impl From<&Loan> for CarriedOver {
    fn from(loan: &Loan) -> Self {
        Self {
            fixed_emi_amount: loan.fixed_emi_amount,
            in_arrears_tolerance: loan.in_arrears_tolerance,
            grace_on_principal_payment: loan.grace_on_principal_payment,
            grace_on_interest_payment: loan.grace_on_interest_payment,
            grace_on_interest_charged: loan.grace_on_interest_charged,
            grace_on_arrears_ageing: loan.grace_on_arrears_ageing,
            interest_charged_from_date: loan.interest_charged_from_date,
            repayments_starting_from_date: loan.expected_first_repayment_on_date,
        }
    }
}

/// The number of units between two instalments; `None` if the term is not a multiple of the number of instalments
/// (`docs/fineract/loans.md`, "The term and the repayments").
pub(super) fn repayment_every(term: i32, repayments: i32) -> Option<i32> {
    (term.checked_rem(repayments)? == 0).then_some(term / repayments)
}

/// Adds a problem if the term is not a multiple of the number of instalments.
pub(super) fn check_term(fields: &mut Fields<'_>, term: Option<i32>, repayments: Option<i32>) {
    if let (Some(term), Some(repayments)) = (term, repayments)
        && repayment_every(term, repayments).is_none()
    {
        fields.problem(
            "loanTermFrequency",
            "not_a_multiple",
            "must be a whole multiple of numberOfRepayments",
        );
    }
}
