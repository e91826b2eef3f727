//! A loan as Fineract shows it.

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
    /// The loan's number.
    pub id: i64,
    /// The caller's id of the loan.
    pub external_id: Option<String>,
    /// The state. Decisions use the id of the state (`docs/fineract/loans.md`, "Loan states").
    pub status: Choice,
    /// The client's number.
    pub client_id: i64,
    /// The number of the client's office.
    pub client_office_id: Option<i64>,
    /// The product's number.
    pub loan_product_id: i64,
    /// The product's name.
    pub loan_product_name: String,
    /// The currency of the loan's amounts.
    pub currency: Option<Currency>,
    /// The principal that the application asks for.
    pub proposed_principal: Amount,
    /// The principal that may be disbursed. It equals the proposed principal until an approval lowers it.
    pub approved_principal: Amount,
    /// The length of the term, in units of `term_period_frequency_type`.
    pub term_frequency: i32,
    /// The unit of the term (days, weeks, months or years).
    pub term_period_frequency_type: Choice,
    /// The number of instalments.
    pub number_of_repayments: i32,
    /// The number of units between two instalments.
    pub repayment_every: i32,
    /// The interest rate per period, in percent.
    pub interest_rate_per_period: Option<Amount>,
    /// How an instalment is composed: equal instalments or equal principal.
    pub amortization_type: Choice,
    /// Whether interest is computed on the declining balance or flat.
    pub interest_type: Choice,
    /// Whether interest is computed daily or for each instalment period.
    pub interest_calculation_period_type: Choice,
    /// Whether interest is also charged for a part of an instalment period.
    pub allow_partial_period_interest_calculation: bool,
    /// The order in which payments are applied to what is due.
    pub transaction_processing_strategy_code: String,
    /// Whether all instalments have the same share of principal.
    pub is_equal_amortization: bool,
    /// Whether the loan is disbursed in tranches.
    pub multi_disburse_loan: bool,
    /// Whether the tranches are not planned in advance.
    pub disallow_expected_disbursements: bool,
    /// The highest outstanding balance of a loan with tranches.
    pub max_outstanding_loan_balance: Option<Amount>,
    /// The fixed amount of an instalment.
    pub fixed_emi_amount: Option<Amount>,
    /// The overdue amount that does not yet count as arrears.
    pub in_arrears_tolerance: Option<Amount>,
    /// The number of first instalments without principal.
    pub grace_on_principal_payment: Option<i32>,
    /// The number of first instalments in which no interest is paid.
    pub grace_on_interest_payment: Option<i32>,
    /// The number of first instalments for which no interest is charged.
    pub grace_on_interest_charged: Option<i32>,
    /// The number of days before arrears start to age.
    pub grace_on_arrears_ageing: Option<i32>,
    /// The day from which interest is charged, if such a day was fixed.
    pub interest_charged_from_date: Option<Day>,
    /// The day of the first instalment, if such a day was fixed.
    pub expected_first_repayment_on_date: Option<Day>,
    /// The dates of the loan's state changes and the users who made them.
    pub timeline: LoanTimeline,
    /// The outstanding amounts; present from the first disbursement.
    pub summary: Option<LoanSummary>,
    /// The charges; Fineract omits the field if there are none.
    #[serde(default)]
    pub charges: Vec<LoanCharge>,
    /// The planned tranches, in no particular order, without disbursements beyond the plan.
    pub disbursement_details: Vec<Tranche>,
    /// The transactions, without undone disbursements (`docs/fineract/payments.md`, "Undone payments"). Release
    /// 1.10.1 omits the field if there are none.
    #[serde(default)]
    pub transactions: Vec<Transaction>,
    /// The notes, if they were requested. No recorded answer contains notes, so the form of a note is taken from
    /// Fineract's source code. Notes of another form are skipped.
    #[serde(default, deserialize_with = "readable_notes")]
    pub notes: Vec<Note>,
}

/// A note of a loan or of one of the loan's transactions. `associations=notes` lists both kinds of notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text of the note.
    pub text: String,
    /// The number of the transaction that the note belongs to. `None` for a note of the loan. The note of a repayment
    /// belongs to its transaction, the note of a disbursement belongs to the loan.
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

/// The outstanding amounts of a loan (`docs/fineract/loans.md`, "The summary").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoanSummary {
    /// Principal, interest, fees and penalties that are not repaid yet.
    pub total_outstanding: Option<Amount>,
}

/// A currency.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Currency {
    /// The currency's code of three letters, such as `INR`.
    pub code: String,
}

/// The dates of a loan's state changes and the users who made them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoanTimeline {
    /// The day of the application.
    pub submitted_on_date: Option<Day>,
    /// The user who submitted the application.
    pub submitted_by_username: Option<String>,
    /// The day of the approval.
    pub approved_on_date: Option<Day>,
    /// The user who approved the loan.
    pub approved_by_username: Option<String>,
    /// The day on which the disbursement is planned.
    pub expected_disbursement_date: Option<Day>,
    /// The user who disbursed the loan.
    pub disbursed_by_username: Option<String>,
    /// The day of the rejection.
    pub rejected_on_date: Option<Day>,
    /// The user who rejected the application.
    pub rejected_by_username: Option<String>,
    /// The day of the withdrawal.
    pub withdrawn_on_date: Option<Day>,
    /// The user who withdrew the application.
    pub withdrawn_by_username: Option<String>,
}

/// A charge of a loan.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoanCharge {
    /// The number of the charge on this loan.
    pub id: i64,
    /// The number of the charge's definition.
    pub charge_id: i64,
    /// The charge's name.
    pub name: String,
    /// The amount or the percentage by which the charge was defined.
    pub amount_or_percentage: Amount,
    /// The day on which the charge is due, if such a day was fixed.
    pub due_date: Option<Day>,
}

/// A planned tranche.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tranche {
    /// The day on which the disbursement is planned.
    pub expected_disbursement_date: Day,
    /// The day of the disbursement, or `None` while the tranche is open.
    pub actual_disbursement_date: Option<Day>,
    /// The principal of the tranche.
    pub principal: Amount,
}

/// A transaction of a loan.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// The transaction's number.
    pub id: i64,
    /// The kind of the transaction, such as disbursement or repayment.
    #[serde(rename = "type")]
    pub kind: Choice,
    /// The amount of the transaction.
    pub amount: Amount,
    /// The external id that was sent to Fineract with the transaction.
    pub external_id: Option<String>,
    /// Whether the transaction itself was undone.
    pub manually_reversed: bool,
    /// The day on which the transaction was undone, alone or together with other transactions.
    pub reversed_on_date: Option<Day>,
    /// How the transaction was paid, if a payment type was given.
    pub payment_detail_data: Option<PaymentDetail>,
}

/// How a transaction was paid.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDetail {
    /// The payment reference, empty if none was given.
    pub receipt_number: Option<String>,
}

impl Loan {
    /// Parses Fineract's answer for one loan.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// The disbursements that have not been undone.
    pub fn disbursements(&self) -> impl Iterator<Item = &Transaction> {
        self.standing(1)
    }

    /// The repayments that have not been undone.
    pub fn repayments(&self) -> impl Iterator<Item = &Transaction> {
        self.standing(2)
    }

    /// The transactions of a kind (`docs/fineract/payments.md`, "Transactions of a loan") that have not been undone.
    fn standing(&self, kind: i32) -> impl Iterator<Item = &Transaction> {
        self.transactions
            .iter()
            .filter(move |transaction| transaction.kind.id == kind && transaction.stands())
    }

    /// The amount that was actually disbursed, as the sum of the transactions. The totals in the loan omit what
    /// Fineract disbursed beyond the tranches (`docs/fineract/payments.md`, "Paying beyond the tranches").
    pub fn paid(&self) -> Amount {
        total(self.disbursements().map(|transaction| transaction.amount))
    }
}

/// The exact sum of Fineract's amounts. Such an amount has at most 19 digits, so the sum stays far below the limit of
/// `Decimal`.
pub(crate) fn total(amounts: impl Iterator<Item = Amount>) -> Amount {
    Amount(
        amounts
            .map(|amount| amount.0)
            .fold(Decimal::ZERO, Decimal::saturating_add),
    )
}

impl Transaction {
    /// Parses Fineract's answer for one transaction.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// Whether the transaction has not been undone. Only `reversed_on_date` shows that a disbursement was undone
    /// (`docs/fineract/payments.md`, "Undone payments").
    pub const fn stands(&self) -> bool {
        !self.manually_reversed && self.reversed_on_date.is_none()
    }
}
