//! What was read from Fineract, as far as operations look at it.
//!
//! What a real Fineract always shows must be there: its absence is an answer that is not understood, not a
//! "no" or a "none". Only what recorded answers leave out, too, is optional.

mod loan;

use serde::{Deserialize, Serialize, Serializer};

pub(crate) use self::loan::total;
pub use self::loan::{
    Currency, Loan, LoanCharge, LoanSummary, LoanTimeline, Note, PaymentDetail, Tranche,
    Transaction,
};
use crate::domain::{Amount, Day};

/// The answers to [`Reads`](super::Reads): `None` is what was not read, or is not there.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The client.
    pub client: Option<Client>,
    /// The product.
    pub product: Option<Product>,
    /// The loan.
    pub loan: Option<Loan>,
    /// The payment type.
    pub payment_type: Option<Named>,
    /// The office; not there either where Fineract did not show it.
    pub office: Option<Named>,
    /// The transaction, standing or undone.
    pub transaction: Option<Transaction>,
}

impl Facts {
    /// The number of the payment type.
    pub fn payment_type_id(&self) -> Option<i64> {
        self.payment_type.as_ref().map(|known| known.id)
    }
}

/// One of Fineract's enum values; its number is what requests carry (`docs/fineract/loans.md`, "Enum values").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Choice {
    /// The number.
    pub id: i32,
}

impl Serialize for Choice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.id)
    }
}

/// A client (`docs/fineract/clients.md`, "Reading a client").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// The number.
    pub id: i64,
    /// The LOS's id.
    pub external_id: Option<String>,
    /// The office.
    pub office_id: Option<i64>,
    /// The first name; an organisation has none.
    pub firstname: Option<String>,
    /// The last name; an organisation has none.
    pub lastname: Option<String>,
    /// The mobile number.
    pub mobile_no: Option<String>,
    /// The e-mail address.
    pub email_address: Option<String>,
    /// Since when it is active; a pending client has none.
    pub activation_date: Option<Day>,
    /// Who did what.
    pub timeline: ClientTimeline,
}

/// Who did what to a client.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientTimeline {
    /// The user that activated it.
    pub activated_by_username: Option<String>,
}

impl Client {
    /// Reads Fineract's answer for one client.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }
}

/// A loan product: a lender's terms (`docs/fineract/loans.md`, "The fields of a product").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the product as Fineract writes it"
)]
pub struct Product {
    /// The number.
    pub id: i64,
    /// The unique name.
    pub name: String,
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
    /// Whether a loan is paid out in tranches.
    pub multi_disburse_loan: bool,
    /// Whether tranches are not planned beforehand.
    pub disallow_expected_disbursements: bool,
    /// The greatest balance of a loan with tranches.
    pub outstanding_loan_balance: Option<Amount>,
    /// The charges, an empty list where there are none; Fineract does not put them on a loan by itself.
    pub charges: Vec<ProductCharge>,
}

/// A charge of a product.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductCharge {
    /// The charge's number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The amount, or the percentage.
    pub amount: Amount,
    /// When it is due.
    pub charge_time_type: Choice,
}

impl Product {
    /// Reads Fineract's answer for one product; an entry of the list of all lacks what counts.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }
}

/// What an entry of one of Fineract's lists (products, payment types, charges) is known by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// The number.
    pub id: i64,
    /// The name.
    pub name: String,
}

impl Named {
    /// Reads a list.
    pub fn parse_list(body: &str) -> Result<Vec<Self>, serde_json::Error> {
        serde_json::from_str(body)
    }
}
