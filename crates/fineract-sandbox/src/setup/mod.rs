//! Setting a fresh tenant up: currencies, payment types, charges, products (`setup.json` of the recordings).

mod product;

use super::books::Desk;
use super::failure::{Failure, Item};
use super::json::{Json, object};
use super::operations::{Order, Outcome};
use super::products::{Product, recorded};

/// Selects the tenant's currencies.
pub(super) fn update_currencies(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    order.params.only(&["currencies"])?;
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
    params.only(&["name", "description", "isCashPayment", "position"])?;
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

/// Adds a loan product; name and short name are unique.
pub(super) fn create_product(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let params = &order.params;
    for (key, what) in [("name", "name"), ("shortName", "short.name")] {
        let sent = params.text(key);
        let mut known = desk
            .books
            .products
            .values()
            .map(|product| product.text(key));
        if known.any(|known| Some(known) == sent.as_deref()) {
            let code = format!("error.msg.product.loan.duplicate.{what}");
            return Err(Failure::Integrity(Item::new(code, key, vec![sent.into()])));
        }
    }
    let id = desk.books.products.keys().last().copied().unwrap_or(0) + 1;
    let json = product::described(params, id, desk)?;
    desk.books.products.insert(id, Product { id, json });
    Ok(made(id))
}

fn made(id: i64) -> Outcome {
    Outcome {
        resource_id: Some(id),
        ..Outcome::default()
    }
}
