//! Fineract's clients, loans and products, with the fields that operations use.
//!
//! A field that every real Fineract shows is required. If a required field is missing, the answer counts as
//! unreadable: the gateway does not take a missing field for "no" or "none". Only fields that some recorded answers
//! omit are optional.

mod loan;

use serde::{Deserialize, Serialize, Serializer};

pub(crate) use self::loan::total;
pub use self::loan::{
    Currency, Loan, LoanCharge, LoanSummary, LoanTimeline, Note, PaymentDetail, Tranche,
    Transaction,
};
use crate::domain::{Amount, Day};

/// The objects that [`Reads`](super::Reads) requested. A field is `None` if it was not requested or does not exist.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The client.
    pub client: Option<Client>,
    /// The lender's product.
    pub product: Option<Product>,
    /// The loan.
    pub loan: Option<Loan>,
    /// The payment type of UTRs.
    pub payment_type: Option<Named>,
    /// The office of new clients. Also `None` if the gateway's user may not read offices.
    pub office: Option<Named>,
    /// The transaction, which may have been undone.
    pub transaction: Option<Transaction>,
}

impl Facts {
    /// The number of the payment type.
    pub fn payment_type_id(&self) -> Option<i64> {
        self.payment_type.as_ref().map(|known| known.id)
    }
}

/// A value of one of Fineract's enumerations. Requests contain the id of the value (`docs/fineract/loans.md`, "Enum
/// values").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Choice {
    /// The id of the value.
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
    /// The client's number.
    pub id: i64,
    /// The caller's id of the client.
    pub external_id: Option<String>,
    /// The number of the client's office.
    pub office_id: Option<i64>,
    /// The first name; an organisation has none.
    pub firstname: Option<String>,
    /// The last name; an organisation has none.
    pub lastname: Option<String>,
    /// The mobile number.
    pub mobile_no: Option<String>,
    /// The e-mail address.
    pub email_address: Option<String>,
    /// The day of the activation; a pending client has none.
    pub activation_date: Option<Day>,
    /// The users who changed the client's state.
    pub timeline: ClientTimeline,
}

/// The users who changed a client's state.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientTimeline {
    /// The user who activated the client.
    pub activated_by_username: Option<String>,
}

impl Client {
    /// Parses Fineract's answer for one client.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }
}

/// A loan product, which contains a lender's terms (`docs/fineract/loans.md`, "The fields of a product").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the product as Fineract writes it"
)]
pub struct Product {
    /// The product's number.
    pub id: i64,
    /// The product's name, which is unique.
    pub name: String,
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
    /// Whether a loan is disbursed in tranches.
    pub multi_disburse_loan: bool,
    /// Whether the tranches are not planned in advance.
    pub disallow_expected_disbursements: bool,
    /// The highest outstanding balance of a loan with tranches.
    pub outstanding_loan_balance: Option<Amount>,
    /// The charges, possibly none. Fineract does not add these charges to a loan by itself.
    pub charges: Vec<ProductCharge>,
}

/// A charge of a product.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductCharge {
    /// The charge's number.
    pub id: i64,
    /// The charge's name.
    pub name: String,
    /// The amount or the percentage of the charge.
    pub amount: Amount,
    /// The event at which the charge is due, such as the disbursement.
    pub charge_time_type: Choice,
}

impl Product {
    /// Parses Fineract's answer for one product. An entry of the list of products cannot be parsed, because it lacks
    /// required fields.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }
}

/// An entry of one of Fineract's lists (products, payment types, charges, offices).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// The number of the entry.
    pub id: i64,
    /// The name of the entry.
    pub name: String,
}

impl Named {
    /// Parses a list of entries.
    pub fn parse_list(body: &str) -> Result<Vec<Self>, serde_json::Error> {
        serde_json::from_str(body)
    }
}
