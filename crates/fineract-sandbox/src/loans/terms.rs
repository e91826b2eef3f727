use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::dates;
use crate::failure::Failure;
use crate::json::Json;
use crate::params::{Checks, Params};
use crate::products::Product;

/// The terms of an application. An enumeration value is stored as its id in Fineract (`docs/fineract/loans.md`, "Enum
/// values").
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) external_id: Option<String>,
    pub(crate) product_id: i64,
    pub(crate) principal: Decimal,
    /// The length of the loan, in units of `term_unit`.
    pub(crate) term: i64,
    /// The unit of `term`: 0 for days, 1 for weeks, 2 for months, 3 for years.
    pub(crate) term_unit: i64,
    pub(crate) repayments: i64,
    /// The time between two repayments, in units of `unit`.
    pub(crate) every: i64,
    /// The unit of `every`, with the same numbers as `term_unit`.
    pub(crate) unit: i64,
    pub(crate) rate: Decimal,
    pub(crate) interest: i64,
    pub(crate) interest_period: i64,
    pub(crate) amortization: i64,
    pub(crate) strategy: String,
    pub(crate) allow_partial: bool,
    pub(crate) max_balance: Option<Decimal>,
    pub(crate) submitted_on: NaiveDate,
    pub(crate) expected_on: NaiveDate,
}

impl Terms {
    /// The maturity date of a loan that starts on this day.
    pub(crate) fn maturity(&self, start: NaiveDate) -> NaiveDate {
        dates::later(start, self.repayments.saturating_mul(self.every), self.unit)
    }
}

/// The fields of an application as they were sent. A creation requires most of them; an update may omit them.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) principal: Option<Decimal>,
    term: Option<i64>,
    term_unit: Option<i64>,
    repayments: Option<i64>,
    every: Option<i64>,
    unit: Option<i64>,
    rate: Option<Decimal>,
    interest: Option<i64>,
    interest_period: Option<i64>,
    amortization: Option<i64>,
    strategy: Option<String>,
    allow_partial: Option<bool>,
    max_balance: Option<Decimal>,
    submitted_on: Option<NaiveDate>,
    expected_on: Option<NaiveDate>,
}

impl Draft {
    /// Reads the fields. Returns an error at the first field that cannot be parsed. Collects all other errors in
    /// `checks`.
    pub(super) fn read(
        params: &Params,
        required: bool,
        checks: &mut Checks,
    ) -> Result<Self, Failure> {
        checks.longest("externalId", params.text("externalId").as_deref(), 100);
        checks.longest("accountNo", params.text("accountNo").as_deref(), 20);
        checks.longest(
            "submittedOnNote",
            params.text("submittedOnNote").as_deref(),
            500,
        );
        let draft = Self {
            principal: params
                .decimal("principal")?
                .map(|amount| amount.round_dp(2)),
            term: params.integer("loanTermFrequency")?,
            term_unit: params.choice("loanTermFrequencyType")?,
            repayments: params.integer("numberOfRepayments")?,
            every: params.integer("repaymentEvery")?,
            unit: params.choice("repaymentFrequencyType")?,
            rate: params.decimal("interestRatePerPeriod")?,
            interest: params.choice("interestType")?,
            interest_period: params.choice("interestCalculationPeriodType")?,
            amortization: params.choice("amortizationType")?,
            strategy: params.text("transactionProcessingStrategyCode"),
            allow_partial: params
                .has("allowPartialPeriodInterestCalcualtion")
                .then(|| params.is_true("allowPartialPeriodInterestCalcualtion")),
            max_balance: params.decimal("maxOutstandingLoanBalance")?,
            expected_on: params.date("expectedDisbursementDate")?,
            submitted_on: params.date("submittedOnDate")?,
        };
        if required {
            draft.nothing_missing(checks);
        }
        Ok(draft)
    }

    fn nothing_missing(&self, checks: &mut Checks) {
        checks.required("loanTermFrequency", self.term);
        checks.required("loanTermFrequencyType", self.term_unit);
        checks.required("numberOfRepayments", self.repayments);
        checks.required("repaymentEvery", self.every);
        checks.required("repaymentFrequencyType", self.unit);
        checks.required("interestRatePerPeriod", self.rate);
        checks.required("interestType", self.interest);
        checks.required("interestCalculationPeriodType", self.interest_period);
        checks.required("amortizationType", self.amortization);
        checks.required("expectedDisbursementDate", self.expected_on);
        checks.required("submittedOnDate", self.submitted_on);
        checks.required(
            "transactionProcessingStrategyCode",
            self.strategy.as_deref(),
        );
    }

    /// Adds an error to `checks` for each value that Fineract never allows, or that this product does not allow.
    pub(super) fn check(&self, product: &Product, checks: &mut Checks) {
        if let Some(amount) = self.principal {
            let limits = (
                product.decimal("minPrincipal"),
                product.decimal("maxPrincipal"),
            );
            in_limits(checks, "principal", amount, limits, Json::cents);
        }
        for (name, number) in [
            ("loanTermFrequency", self.term),
            ("numberOfRepayments", self.repayments),
            ("repaymentEvery", self.every),
        ] {
            if let Some(number) = number.filter(|number| *number <= 0) {
                checks.fail(
                    name,
                    "not.greater.than.zero",
                    vec![number.into(), 0_i64.into()],
                );
            }
        }
        checks.within("loanTermFrequencyType", self.term_unit, (0, 3));
        let repayments = (
            product.integer("minNumberOfRepayments"),
            product.integer("maxNumberOfRepayments"),
        );
        if let (Some(least), Some(most)) = repayments {
            checks.within("numberOfRepayments", self.repayments, (least, most));
        }
        checks.within("repaymentFrequencyType", self.unit, (0, 3));
        if let Some(rate) = self.rate {
            if rate < Decimal::ZERO {
                let args = vec![Json::double(rate), 0_i64.into()];
                checks.fail("interestRatePerPeriod", "not.zero.or.greater", args);
            }
            let limits = (
                product.decimal("minInterestRatePerPeriod"),
                product.decimal("maxInterestRatePerPeriod"),
            );
            in_limits(checks, "interestRatePerPeriod", rate, limits, Json::double);
        }
        checks.within("interestType", self.interest, (0, 1));
        checks.within(
            "interestCalculationPeriodType",
            self.interest_period,
            (0, 1),
        );
        checks.within("amortizationType", self.amortization, (0, 1));
        let allow_partial = self
            .allow_partial
            .unwrap_or_else(|| product.flag("allowPartialPeriodInterestCalculation"));
        if self.interest_period == Some(0) && self.allow_partial == Some(true) {
            let what = "not.supported.for.daily.calcualtions";
            checks.fail(
                "allowPartialPeriodInterestCalcualtion",
                what,
                vec![true.into()],
            );
        }
        if self.interest_period == Some(1) && !allow_partial && product.is_multi_disburse() {
            checks.fail(
                "multiDisburseLoan",
                "not.supported.for.selected.interest.calcualtion.type",
                Vec::new(),
            );
        }
    }

    /// The complete terms. If the product does not allow an application to change an attribute, the product's value is
    /// used. `None` if a field is missing.
    pub(super) fn terms(&self, product: &Product, external_id: Option<String>) -> Option<Terms> {
        let chosen = |attribute: &str, sent: Option<i64>| {
            if product.allows_override(attribute) {
                sent
            } else {
                Some(product.choice(attribute))
            }
        };
        let every = if product.allows_override("repaymentEvery") {
            self.every
        } else {
            product.integer("repaymentEvery")
        };
        let strategy = if product.allows_override("transactionProcessingStrategyCode") {
            self.strategy.clone()
        } else {
            Some(product.text("transactionProcessingStrategyCode").to_owned())
        };
        Some(Terms {
            external_id,
            product_id: product.id,
            principal: self.principal.unwrap_or_default(),
            term: self.term?,
            term_unit: self.term_unit?,
            repayments: self.repayments?,
            every: every?,
            unit: self.unit?,
            rate: self.rate?,
            interest: chosen("interestType", self.interest)?,
            interest_period: chosen("interestCalculationPeriodType", self.interest_period)?,
            amortization: chosen("amortizationType", self.amortization)?,
            strategy: strategy?,
            allow_partial: self
                .allow_partial
                .unwrap_or_else(|| product.flag("allowPartialPeriodInterestCalculation")),
            max_balance: product
                .is_multi_disburse()
                .then(|| {
                    self.max_balance
                        .or(product.decimal("outstandingLoanBalance"))
                })
                .flatten(),
            submitted_on: self.submitted_on?,
            expected_on: self.expected_on?,
        })
    }
}

fn in_limits(
    checks: &mut Checks,
    name: &str,
    number: Decimal,
    limits: (Option<Decimal>, Option<Decimal>),
    shown: fn(Decimal) -> Json,
) {
    match limits {
        (Some(least), Some(most)) if number < least || number > most => {
            let args = vec![Json::double(number), shown(least), shown(most)];
            checks.fail(name, "amount.is.not.within.min.max.range", args);
        }
        (Some(least), None) if number < least => {
            checks.fail(
                name,
                "is.less.than.min",
                vec![Json::double(number), shown(least)],
            );
        }
        (None, Some(most)) if number > most => {
            checks.fail(
                name,
                "is.greater.than.max",
                vec![Json::double(number), shown(most)],
            );
        }
        _ => {}
    }
}
