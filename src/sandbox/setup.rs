//! Setting a fresh tenant up: currencies, payment types, charges, products (`setup.json` of the recordings).

use super::books::Desk;
use super::failure::Failure;
use super::json::{Json, Object, object};
use super::operations::{Order, Outcome};
use super::params::Params;
use super::products::{Product, recorded};

/// Selects the tenant's currencies.
pub(super) fn update_currencies(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let listed = order
        .params
        .raw("currencies")
        .and_then(Json::as_list)
        .unwrap_or_default();
    desk.books.currencies = listed
        .iter()
        .filter_map(Json::as_text)
        .map(str::to_owned)
        .collect();
    let changes = object! {"currencies": listed.to_vec()};
    Ok(Outcome {
        changes: Some(changes),
        ..Outcome::default()
    })
}

/// Adds a payment type.
pub(super) fn create_payment_type(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let params = &order.params;
    let id = desk.books.payment_types.keys().last().copied().unwrap_or(0) + 1;
    let json = object! {
        "id": id,
        "name": params.text("name"),
        "description": params.text("description"),
        "isCashPayment": params.is_true("isCashPayment"),
        "position": params.integer_or("position", 1),
        "codeName": "",
        "isSystemDefined": false,
    };
    desk.books.payment_types.insert(id, json);
    Ok(made(id))
}

/// Adds a charge that is due at disbursement.
pub(super) fn create_charge(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let params = &order.params;
    let (_, charges, _) = recorded();
    let id = desk.books.charges.keys().last().copied().unwrap_or(0) + 1;
    let by_amount = params.integer_or("chargeCalculationType", 1) == 1;
    let mut json = charges
        .into_iter()
        .next()
        .unwrap_or_default()
        .with("id", id);
    json.set("name", params.text("name"));
    json.set("amount", params.decimal("amount")?);
    if by_amount {
        let flat = object! {"id": 1_i64, "code": "chargeCalculationType.flat", "value": "Flat"};
        json.set("chargeCalculationType", flat);
    }
    desk.books.charges.insert(id, json);
    Ok(made(id))
}

/// Adds a loan product: one of the recorded ones, with what the request says in place of its fields.
pub(super) fn create_product(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let params = &order.params;
    let id = desk.books.products.keys().last().copied().unwrap_or(0) + 1;
    let name = params.text("name").unwrap_or_default();
    for (key, sent) in [
        ("name", Some(name.clone())),
        ("shortName", params.text("shortName")),
    ] {
        if desk
            .books
            .products
            .values()
            .any(|product| Some(product.text(key)) == sent.as_deref())
        {
            let code = if key == "name" {
                "duplicate.name"
            } else {
                "duplicate.short.name"
            };
            let item = super::failure::Item::new(
                format!("error.msg.product.loan.{code}"),
                key,
                vec![sent.into()],
            );
            return Err(Failure::Integrity(item));
        }
    }
    let json = described(params, id, desk)?;
    desk.books.products.insert(id, Product { id, json });
    Ok(made(id))
}

fn described(params: &Params, id: i64, desk: &Desk<'_>) -> Result<Object, Failure> {
    let (products, ..) = recorded();
    let is = |name: &str| {
        products
            .iter()
            .find(|product| product.text("name") == name)
            .map(|product| &product.json)
    };
    // The recorded product of the same kind has every field of a read; the request then overrides what it names.
    let progressive = params.text("loanScheduleType").as_deref() == Some("PROGRESSIVE");
    let kind = match (progressive, params.is_true("multiDisburseLoan")) {
        (true, _) => "LENDINGKART",
        (false, true) => "ARTHMATE",
        (false, false) => "UGRO",
    };
    let mut json = Object::default();
    let template = is(kind).cloned().unwrap_or_default();
    for (key, value) in template.iter() {
        json.set(key, value.clone());
        if key == "useBorrowerCycle" {
            json.set("startDate", params.date("startDate")?);
            json.set("closeDate", params.date("closeDate")?);
        }
        if let Some(limited) = LIMITED.iter().find(|limited| **limited == key) {
            let name = capitalized(limited);
            json.set(
                &format!("min{name}"),
                number(params, &format!("min{name}"), limited)?,
            );
            json.set(
                &format!("max{name}"),
                number(params, &format!("max{name}"), limited)?,
            );
        }
    }
    let closed = params
        .date("closeDate")?
        .is_some_and(|close| close < desk.today);
    json.set("id", id);
    json.set(
        "status",
        if closed {
            "loanProduct.inActive"
        } else {
            "loanProduct.active"
        },
    );
    for key in ["name", "shortName", "transactionProcessingStrategyCode"] {
        json.set(key, params.text(key));
    }
    for key in [
        "principal",
        "interestRatePerPeriod",
        "outstandingLoanBalance",
    ] {
        json.set(key, params.decimal(key)?);
    }
    for key in ["numberOfRepayments", "repaymentEvery", "maxTrancheCount"] {
        json.set(key, params.integer(key)?);
    }
    json.set(
        "annualInterestRate",
        params.decimal("interestRatePerPeriod")?,
    );
    let enums = super::loans::product_choices(params)?;
    for (key, value) in enums.iter() {
        json.set(key, value.clone());
    }
    if params.has("allowPartialPeriodInterestCalcualtion") {
        json.set(
            "allowPartialPeriodInterestCalculation",
            params.is_true("allowPartialPeriodInterestCalcualtion"),
        );
    }
    let charges = params
        .raw("charges")
        .and_then(Json::as_list)
        .unwrap_or_default();
    let charge_ids = charges
        .iter()
        .filter_map(Json::as_object)
        .filter_map(|charge| charge.get("id")?.as_integer());
    json.set(
        "charges",
        charge_ids
            .filter_map(|id| desk.books.charges.get(&id).cloned())
            .collect::<Vec<_>>(),
    );
    if let Some(overrides) = params
        .raw("allowAttributeOverrides")
        .and_then(Json::as_object)
    {
        json.set(
            "allowAttributeOverrides",
            overrides.clone().with("isNew", true),
        );
    }
    Ok(json)
}

/// The fields that a product may set limits for, in the order of a read.
const LIMITED: [&str; 3] = ["principal", "numberOfRepayments", "interestRatePerPeriod"];

fn number(params: &Params, key: &str, limited: &str) -> Result<Json, Failure> {
    if limited == "numberOfRepayments" {
        Ok(params.integer(key)?.into())
    } else {
        Ok(params.decimal(key)?.into())
    }
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

fn made(id: i64) -> Outcome {
    Outcome {
        resource_id: Some(id),
        ..Outcome::default()
    }
}
