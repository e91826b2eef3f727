//! A loan as it was read.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Choice;
use crate::domain::{Amount, Day};

/// A loan with its charges, tranches and transactions (`docs/fineract/loans.md`, "Reading a loan").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the loan as Fineract writes it"
)]
pub struct Loan {
    /// The number.
    pub id: i64,
    /// The LOS's id.
    pub external_id: Option<String>,
    /// The state; decide on its number (`docs/fineract/loans.md`, "Loan states").
    pub status: Choice,
    /// The client's number.
    pub client_id: i64,
    /// The client's office.
    pub client_office_id: Option<i64>,
    /// The product's number.
    pub loan_product_id: i64,
    /// The product's name.
    pub loan_product_name: String,
    /// The currency of its amounts.
    pub currency: Option<Currency>,
    /// What was applied for.
    pub proposed_principal: Amount,
    /// What may be paid out; what was applied for until an approval lowers it.
    pub approved_principal: Amount,
    /// The length of the term.
    pub term_frequency: i32,
    /// The unit of the term.
    pub term_period_frequency_type: Choice,
    /// The number of instalments.
    pub number_of_repayments: i32,
    /// Units between two instalments.
    pub repayment_every: i32,
    /// The interest rate.
    pub interest_rate_per_period: Option<Amount>,
    /// How an instalment is made up.
    pub amortization_type: Choice,
    /// Declining or flat.
    pub interest_type: Choice,
    /// Daily or by instalment.
    pub interest_calculation_period_type: Choice,
    /// Whether interest counts parts of an instalment's period.
    pub allow_partial_period_interest_calculation: bool,
    /// The order in which payments settle what is due.
    pub transaction_processing_strategy_code: String,
    /// Whether instalments carry equal principals.
    pub is_equal_amortization: bool,
    /// Whether it is paid out in tranches.
    pub multi_disburse_loan: bool,
    /// Whether its tranches are not planned beforehand.
    pub disallow_expected_disbursements: bool,
    /// The greatest balance of a loan with tranches.
    pub max_outstanding_loan_balance: Option<Amount>,
    /// An instalment's fixed amount.
    pub fixed_emi_amount: Option<Amount>,
    /// What may be overdue before it counts as arrears.
    pub in_arrears_tolerance: Option<Amount>,
    /// Instalments without principal.
    pub grace_on_principal_payment: Option<i32>,
    /// Instalments without interest to pay.
    pub grace_on_interest_payment: Option<i32>,
    /// Instalments without interest.
    pub grace_on_interest_charged: Option<i32>,
    /// Days before arrears age.
    pub grace_on_arrears_ageing: Option<i32>,
    /// From when on interest counts, where it was fixed.
    pub interest_charged_from_date: Option<Day>,
    /// The first instalment's day, where it was fixed.
    pub expected_first_repayment_on_date: Option<Day>,
    /// Who did what, and when.
    pub timeline: LoanTimeline,
    /// What is owed; there from the first payout on.
    pub summary: Option<LoanSummary>,
    /// The charges; not there where there are none.
    #[serde(default)]
    pub charges: Vec<LoanCharge>,
    /// The planned tranches, in no order; not what was paid beyond them.
    pub disbursement_details: Vec<Tranche>,
    /// The transactions, without the undone disbursements (`docs/fineract/payments.md`, "Undone payments"); release
    /// 1.10.1 leaves them out where there are none.
    #[serde(default)]
    pub transactions: Vec<Transaction>,
    /// The notes, where they were asked for. No recording holds any: they are as Fineract's source has them, and what
    /// is not so is left out.
    #[serde(default, deserialize_with = "readable_notes")]
    pub notes: Vec<Note>,
}

/// A note of a loan, or of one of its transactions: `associations=notes` lists both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it says.
    pub text: String,
    /// The number of the transaction that it is of. A repayment's note has one; a disbursement's is the loan's.
    pub transaction: Option<i64>,
}

fn readable_notes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Note>, D::Error> {
    let listed = Value::deserialize(deserializer)?;
    let read = |note: &Value| {
        Some(Note {
            text: note.get("note")?.as_str()?.to_owned(),
            transaction: note.get("loanTransactionId").and_then(Value::as_i64),
        })
    };
    Ok(listed
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(read)
        .collect())
}

/// What is owed of a loan (`docs/fineract/loans.md`, "The summary").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoanSummary {
    /// Principal, interest, fees and penalties that are still to be repaid.
    pub total_outstanding: Option<Amount>,
}

/// A currency.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Currency {
    /// Its three letters.
    pub code: String,
}

/// Who did what to a loan, and when.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoanTimeline {
    /// When it was applied for.
    pub submitted_on_date: Option<Day>,
    /// By whom.
    pub submitted_by_username: Option<String>,
    /// When it was approved.
    pub approved_on_date: Option<Day>,
    /// By whom.
    pub approved_by_username: Option<String>,
    /// When it is to be paid out.
    pub expected_disbursement_date: Option<Day>,
    /// By whom it was paid out.
    pub disbursed_by_username: Option<String>,
    /// When it was rejected.
    pub rejected_on_date: Option<Day>,
    /// By whom.
    pub rejected_by_username: Option<String>,
    /// When it was withdrawn.
    pub withdrawn_on_date: Option<Day>,
    /// By whom.
    pub withdrawn_by_username: Option<String>,
}

/// A charge of a loan.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoanCharge {
    /// The number on this loan.
    pub id: i64,
    /// The charge's number.
    pub charge_id: i64,
    /// The charge's name.
    pub name: String,
    /// What it was made from: an amount, or a percentage.
    pub amount_or_percentage: Amount,
    /// When it is due, where that was fixed.
    pub due_date: Option<Day>,
}

/// A planned tranche.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tranche {
    /// When it is to be paid.
    pub expected_disbursement_date: Day,
    /// When it was paid; an open one has none.
    pub actual_disbursement_date: Option<Day>,
    /// How much.
    pub principal: Amount,
}

/// A loan's transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// The number.
    pub id: i64,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Choice,
    /// How much.
    pub amount: Amount,
    /// The external id.
    pub external_id: Option<String>,
    /// Whether it was undone by itself.
    pub manually_reversed: bool,
    /// When it was undone, alone or with others.
    pub reversed_on_date: Option<Day>,
    /// How it was paid, where a payment type was named.
    pub payment_detail_data: Option<PaymentDetail>,
}

/// How a transaction was paid.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDetail {
    /// The reference; empty where none was given.
    pub receipt_number: Option<String>,
}

impl Loan {
    /// Reads Fineract's answer for one loan.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// The disbursements that stand.
    pub fn disbursements(&self) -> impl Iterator<Item = &Transaction> {
        self.standing(1)
    }

    /// The repayments that stand.
    pub fn repayments(&self) -> impl Iterator<Item = &Transaction> {
        self.standing(2)
    }

    /// The transactions of a kind (`docs/fineract/payments.md`, "Transactions of a loan") that stand.
    fn standing(&self, kind: i32) -> impl Iterator<Item = &Transaction> {
        self.transactions
            .iter()
            .filter(move |transaction| transaction.kind.id == kind && transaction.stands())
    }

    /// What was really paid out: the sum of the transactions, never a figure of the loan's own, which
    /// leaves out what Fineract pays beyond the tranches (`docs/fineract/payments.md`, "Paying beyond the tranches").
    pub fn paid(&self) -> Amount {
        total(self.disbursements().map(|transaction| transaction.amount))
    }
}

/// The exact sum; no sum of Fineract's amounts, of at most 19 digits, comes near the end of the type.
pub(crate) fn total(amounts: impl Iterator<Item = Amount>) -> Amount {
    Amount(
        amounts
            .map(|amount| amount.0)
            .fold(Decimal::ZERO, Decimal::saturating_add),
    )
}

impl Transaction {
    /// Reads Fineract's answer for one transaction.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// Whether it has not been undone. An undone disbursement only shows by its date (`docs/fineract/payments.md`,
    /// "Undone payments").
    pub const fn stands(&self) -> bool {
        !self.manually_reversed && self.reversed_on_date.is_none()
    }
}
