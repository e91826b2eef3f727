//! The enumeration values of loans, in the form in which reads return them.

use super::Kind;
use crate::json::{Object, object};

fn choice(id: i64, code: &str, value: &str) -> Object {
    object! {"id": id, "code": code, "value": value}
}

/// The status object (`docs/fineract/loans.md`, "Loan states").
pub(crate) fn status(id: i64) -> Object {
    let (code, value) = match id {
        100 => (
            "submitted.and.pending.approval",
            "Submitted and pending approval",
        ),
        200 => ("approved", "Approved"),
        300 => ("active", "Active"),
        400 => ("withdrawn.by.client", "Withdrawn by applicant"),
        500 => ("rejected", "Rejected"),
        600 => ("closed.obligations.met", "Closed (obligations met)"),
        601 => ("closed.written.off", "Closed (written off)"),
        602 => (
            "closed.reschedule.outstanding.amount",
            "Closed (rescheduled)",
        ),
        _ => ("overpaid", "Overpaid"),
    };
    choice(id, &format!("loanStatusType.{code}"), value)
        .with("pendingApproval", id == 100)
        .with("waitingForDisbursal", id == 200)
        .with("active", id == 300)
        .with("closedObligationsMet", id == 600)
        .with("closedWrittenOff", id == 601)
        .with("closedRescheduled", id == 602)
        .with("closed", (600..=602).contains(&id))
        .with("overpaid", id == 700)
}

/// A unit of time: days, weeks, months or years.
pub(super) fn frequency(prefix: &str, id: i64) -> Object {
    let (code, value) = match id {
        0 => ("days", "Days"),
        1 => ("weeks", "Weeks"),
        2 => ("months", "Months"),
        _ => ("years", "Years"),
    };
    choice(id, &format!("{prefix}.periodFrequencyType.{code}"), value)
}

pub(super) fn rate_frequency(id: i64) -> Object {
    match id {
        2 => choice(
            id,
            "interestRateFrequency.periodFrequencyType.months",
            "Per month",
        ),
        4 => choice(
            id,
            "interestRateFrequency.periodFrequencyType.whole_term",
            "Whole term",
        ),
        _ => choice(
            id,
            "interestRateFrequency.periodFrequencyType.years",
            "Per year",
        ),
    }
}

pub(super) fn amortization(id: i64) -> Object {
    match id {
        0 => choice(
            id,
            "amortizationType.equal.principal",
            "Equal principal payments",
        ),
        _ => choice(
            id,
            "amortizationType.equal.installments",
            "Equal installments",
        ),
    }
}

pub(super) fn interest(id: i64) -> Object {
    match id {
        0 => choice(id, "interestType.declining.balance", "Declining Balance"),
        _ => choice(id, "interestType.flat", "Flat"),
    }
}

pub(super) fn interest_period(id: i64) -> Object {
    match id {
        0 => choice(id, "interestCalculationPeriodType.daily", "Daily"),
        _ => choice(
            id,
            "interestCalculationPeriodType.same.as.repayment.period",
            "Same as repayment period",
        ),
    }
}

pub(super) fn individual() -> Object {
    choice(1, "accountType.individual", "Individual")
}

pub(super) fn schedule_type_options() -> Vec<Object> {
    vec![
        choice(1, "CUMULATIVE", "Cumulative"),
        choice(2, "PROGRESSIVE", "Progressive"),
    ]
}

pub(super) fn schedule_processing_options() -> Vec<Object> {
    vec![
        choice(1, "HORIZONTAL", "Horizontal"),
        choice(2, "VERTICAL", "Vertical"),
    ]
}

/// All repayment strategies that Fineract knows, with their names.
const STRATEGIES: [(&str, &str); 10] = [
    (
        "mifos-standard-strategy",
        "Penalties, Fees, Interest, Principal order",
    ),
    ("heavensfamily-strategy", "HeavensFamily Unique"),
    ("creocore-strategy", "Creocore Unique"),
    ("rbi-india-strategy", "Overdue/Due Fee/Int,Principal"),
    (
        "principal-interest-penalties-fees-order-strategy",
        "Principal, Interest, Penalties, Fees Order",
    ),
    (
        "interest-principal-penalties-fees-order-strategy",
        "Interest, Principal, Penalties, Fees Order",
    ),
    ("early-repayment-strategy", "Early Repayment Strategy"),
    (
        "due-penalty-fee-interest-principal-in-advance-principal-penalty-fee-interest-strategy",
        "Due penalty, fee, interest, principal, In advance principal, penalty, fee, interest",
    ),
    (
        "due-penalty-interest-principal-fee-in-advance-penalty-interest-principal-fee-strategy",
        "Due penalty, interest, principal, fee, In advance penalty, interest, principal, fee",
    ),
    (ADVANCED, "Advanced payment allocation strategy"),
];

/// The repayment strategy that every progressive product has. No other product has it.
pub(super) const ADVANCED: &str = "advanced-payment-allocation-strategy";

pub(super) fn strategy_name(code: &str) -> Option<&'static str> {
    STRATEGIES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, name)| *name)
}

/// The `type` object of a transaction. It contains one boolean for each transaction type of Fineract. Only the boolean
/// of the transaction's own type is true.
pub(super) fn transaction_type(kind: Kind) -> Object {
    let (id, code, value) = match kind {
        Kind::Disbursement => (1, "disbursement", "Disbursement"),
        Kind::Repayment => (2, "repayment", "Repayment"),
        Kind::ChargeAtDisbursement => (
            5,
            "repaymentAtDisbursement",
            "Repayment (at time of disbursement)",
        ),
        Kind::WriteOff => (6, "writeOff", "Close (as written-off)"),
        Kind::Accrual => (10, "accrual", "Accrual"),
    };
    let choice = choice(id, &format!("loanTransactionType.{code}"), value);
    TRANSACTION_TYPES
        .iter()
        .fold(choice, |object, name| object.with(name, *name == code))
}

/// The names of the booleans in the `type` object of a transaction, in Fineract's order. The sandbox makes transactions
/// of only five of these types.
const TRANSACTION_TYPES: [&str; 30] = [
    "disbursement",
    "repaymentAtDisbursement",
    "repayment",
    "merchantIssuedRefund",
    "payoutRefund",
    "goodwillCredit",
    "interestPaymentWaiver",
    "chargeRefund",
    "contra",
    "waiveInterest",
    "waiveCharges",
    "accrual",
    "writeOff",
    "recoveryRepayment",
    "initiateTransfer",
    "approveTransfer",
    "withdrawTransfer",
    "rejectTransfer",
    "chargePayment",
    "refund",
    "refundForActiveLoans",
    "creditBalanceRefund",
    "chargeAdjustment",
    "chargeback",
    "chargeoff",
    "downPayment",
    "reAge",
    "reAmortize",
    "accrualActivity",
    "interestRefund",
];

/// The enumeration values in a request that creates a product, in the form in which reads return them.
pub(crate) fn product_choices(
    params: &crate::params::Params,
) -> Result<Object, crate::failure::Failure> {
    let spelled = |name: &str, spell: fn(i64) -> Object| Ok(params.choice(name)?.map(spell));
    Ok(object! {
        "repaymentFrequencyType": spelled("repaymentFrequencyType", |id| frequency("repaymentFrequency", id))?,
        "interestRateFrequencyType": spelled("interestRateFrequencyType", rate_frequency)?,
        "amortizationType": spelled("amortizationType", amortization)?,
        "interestType": spelled("interestType", interest)?,
        "interestCalculationPeriodType": spelled("interestCalculationPeriodType", interest_period)?,
    })
}
