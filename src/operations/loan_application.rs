//! What a loan application consists of, new or changed.

use serde::Serialize;

use super::{
    Choice, Day, Loan, Product,
    body::{DATE_FORMAT, LOCALE},
    fields::Fields,
};
use crate::domain::Amount;

/// A whole application: Fineract takes no less for a change than for a new one (`docs/fineract/loans.md`, "From a
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
    conditions: Conditions<'a>,
    external_id: &'a str,
    locale: &'static str,
    date_format: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    charges: Vec<AppliedCharge>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disbursement_data: Vec<Tranche>,
    #[serde(flatten)]
    kept: Kept,
}

/// What the LOS says about a loan; with a change, overlaid on what is stored.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Terms {
    /// What is applied for.
    pub(super) principal: Amount,
    /// When it is applied for.
    pub(super) submitted_on_date: Day,
    /// When it is to be paid out.
    pub(super) expected_disbursement_date: Day,
    /// The length of the term.
    pub(super) loan_term_frequency: i32,
    /// Its unit.
    pub(super) loan_term_frequency_type: Choice,
    /// The number of instalments.
    pub(super) number_of_repayments: i32,
    /// Units between two instalments.
    pub(super) repayment_every: i32,
    /// Their unit, which Fineract wants to be the term's.
    pub(super) repayment_frequency_type: Choice,
    /// The interest rate; loans with a floating one have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) interest_rate_per_period: Option<Amount>,
}

/// What the lender's product says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Conditions<'a> {
    interest_type: Choice,
    interest_calculation_period_type: Choice,
    amortization_type: Choice,
    transaction_processing_strategy_code: &'a str,
    /// Fineract's spelling. False where it is left out; with daily interest it must be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_partial_period_interest_calcualtion: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_equal_amortization: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_outstanding_loan_balance: Option<Amount>,
}

/// What else a stored loan has and its schedule rests on; a new one has it from the product.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
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
    /// Its number on the loan, without which a stored charge is replaced instead of kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    charge_id: i64,
    /// For a percentage charge the percentage.
    amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_date: Option<Day>,
}

/// A tranche to be planned.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tranche {
    /// When it is to be paid.
    pub(super) expected_disbursement_date: Day,
    /// How much.
    pub(super) principal: Amount,
}

/// Interest counted by the day, which knows no parts of a period.
const DAILY: i32 = 0;
/// When charges are due that only arise with an overdue instalment.
const OVERDUE_INSTALLMENT: i32 = 9;

impl<'a> Application<'a> {
    /// A new one on the product's conditions.
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
        // Fineract does not put a product's charges on a loan by itself.
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
            conditions: Conditions::from(product),
            external_id,
            locale: LOCALE,
            date_format: DATE_FORMAT,
            charges: charges.collect(),
            disbursement_data: planned.then_some(whole).into_iter().collect(),
            kept: Kept::default(),
        }
    }

    /// A stored one with other terms and tranches; all else stays.
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
            conditions: Conditions::from(loan),
            external_id,
            locale: LOCALE,
            date_format: DATE_FORMAT,
            charges: charges.collect(),
            disbursement_data: tranches,
            kept: Kept::from(loan),
        }
    }
}

impl<'a> From<&'a Product> for Conditions<'a> {
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

impl<'a> From<&'a Loan> for Conditions<'a> {
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

impl From<&Loan> for Kept {
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

/// Units between two instalments, where the term divides evenly (`docs/fineract/loans.md`, "The term and the
/// repayments").
pub(super) fn repayment_every(term: i32, repayments: i32) -> Option<i32> {
    (term.checked_rem(repayments)? == 0).then_some(term / repayments)
}

/// Notes a term that does not divide evenly into its instalments.
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
