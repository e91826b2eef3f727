//! The commands that set up a new tenant: currencies, payment types, charges and products (recorded in `setup.json`).

mod product;

use super::books::Context;
use super::failure::{Failure, Item};
use super::json::{Json, object};
use super::operations::{Input, Outcome};
use super::products::{Product, recorded};

/// Selects the tenant's currencies.
pub(super) fn update_currencies(
    context: &mut Context<'_>,
    input: &Input,
) -> Result<Outcome, Failure> {
    input.params.only(&["currencies"])?;
    let listed = input
        .params
        .raw("currencies")
        .and_then(Json::as_list)
        .unwrap_or_default();
    context.books.currencies = listed
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
pub(super) fn create_payment_type(
    context: &mut Context<'_>,
    input: &Input,
) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(&["name", "description", "isCashPayment", "position"])?;
    let id = context
        .books
        .payment_types
        .keys()
        .last()
        .copied()
        .unwrap_or(0)
        + 1;
    let json = object! {
        "id": id,
        "name": params.text("name"),
        "description": params.text("description"),
        "isCashPayment": params.is_true("isCashPayment"),
        "position": params.integer_or("position", 1),
        "codeName": "",
        "isSystemDefined": false,
    };
    context.books.payment_types.insert(id, json);
    Ok(made(id))
}

/// Adds a charge that is due at disbursement.
pub(super) fn create_charge(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    let (_, charges, _) = recorded();
    let id = context.books.charges.keys().last().copied().unwrap_or(0) + 1;
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
    context.books.charges.insert(id, json);
    Ok(made(id))
}

/// Adds a loan product. Its name and its short name must be unique.
pub(super) fn create_product(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    for (key, what) in [("name", "name"), ("shortName", "short.name")] {
        let sent = params.text(key);
        let mut known = context
            .books
            .products
            .values()
            .map(|product| product.text(key));
        if known.any(|known| Some(known) == sent.as_deref()) {
            let code = format!("error.msg.product.loan.duplicate.{what}");
            return Err(Failure::Integrity(Item::new(code, key, vec![sent.into()])));
        }
    }
    let id = context.books.products.keys().last().copied().unwrap_or(0) + 1;
    let json = product::described(params, id, context)?;
    context.books.products.insert(id, Product { id, json });
    Ok(made(id))
}

fn made(id: i64) -> Outcome {
    Outcome {
        resource_id: Some(id),
        ..Outcome::default()
    }
}
