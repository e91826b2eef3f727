//! Loan products, and the charges and payment types that were recorded from a real Fineract.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::json::{Json, Object};

/// The products of nine lenders, one closed product, the charge and the payment type, as recorded from a real Fineract.
const RECORDED: &str = include_str!("products.json");

/// A loan product. `json` is the product as `GET /loanproducts/{id}` returns it. The methods read the rules of the
/// product from `json`.
#[derive(Clone, Debug)]
pub(super) struct Product {
    pub(super) id: i64,
    pub(super) json: Object,
}

/// The attributes of a product that only `GET /loanproducts/{id}` returns (`docs/fineract/loans.md`, "Products").
const NOT_LISTED: &[&str] = &[
    "paymentAllocation",
    "creditAllocation",
    "charges",
    "rates",
    "delinquencyBucketOptions",
];

impl Product {
    /// The product as `GET /loanproducts` returns it.
    pub(super) fn listed(&self) -> Object {
        self.json.clone().without(NOT_LISTED)
    }

    pub(super) fn decimal(&self, key: &str) -> Option<Decimal> {
        self.json.get(key).and_then(Json::as_decimal)
    }

    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        self.json.get(key).and_then(Json::as_integer)
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.json
            .get(key)
            .and_then(Json::as_text)
            .unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.json.get(key).is_some_and(Json::is_true)
    }

    /// The id of the enumeration value that the product has under this key. 0 if the product does not have the key.
    pub(super) fn choice(&self, key: &str) -> i64 {
        let id = self
            .json
            .get(key)
            .and_then(Json::as_object)
            .and_then(|value| value.get("id"));
        id.and_then(Json::as_integer).unwrap_or(0)
    }

    pub(super) fn date(&self, key: &str) -> Option<NaiveDate> {
        let parts = self.json.get(key)?.as_list()?;
        let mut parts = parts.iter().filter_map(Json::as_integer);
        let year = i32::try_from(parts.next()?).ok()?;
        NaiveDate::from_ymd_opt(
            year,
            u32::try_from(parts.next()?).ok()?,
            u32::try_from(parts.next()?).ok()?,
        )
    }

    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        self.json.get(key)
    }

    pub(super) fn is_multi_disburse(&self) -> bool {
        self.flag("multiDisburseLoan")
    }

    pub(super) fn is_progressive(&self) -> bool {
        self.choice("loanScheduleType") == 1
    }

    /// Whether an application may set this attribute to another value than the product has.
    pub(super) fn allows_override(&self, attribute: &str) -> bool {
        let allowed = self
            .json
            .get("allowAttributeOverrides")
            .and_then(Json::as_object);
        allowed
            .and_then(|allowed| allowed.get(attribute))
            .is_none_or(Json::is_true)
    }
}

/// The products, charges and payment types of [`RECORDED`].
pub(super) fn recorded() -> (Vec<Product>, Vec<Object>, Vec<Object>) {
    let Ok(Json::Object(file)) = Json::parse(RECORDED) else {
        return Default::default();
    };
    let products: Vec<Product> = file
        .get("products")
        .and_then(Json::as_object)
        .into_iter()
        .flat_map(Object::iter)
        .filter_map(|(_, json)| json.as_object())
        .filter_map(|json| {
            Some(Product {
                id: json.get("id")?.as_integer()?,
                json: json.clone(),
            })
        })
        .collect();
    let charges = products
        .iter()
        .filter_map(|product| product.json.get("charges").and_then(Json::as_list))
        .flatten()
        .filter_map(|charge| charge.as_object().cloned())
        .collect();
    let payment_types = file
        .get("paymentType")
        .and_then(Json::as_object)
        .cloned()
        .into_iter()
        .collect();
    (products, charges, payment_types)
}
