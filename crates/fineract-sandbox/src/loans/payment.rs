//! The payment details of a transaction: the payment type, and fields such as the receipt number.

use crate::books::{Books, next};
use crate::failure::Failure;
use crate::json::{Object, object};
use crate::params::{Checks, Params};

/// The keys of the payment details, in the order in which `changes` shows them.
pub(super) const DETAILS: [&str; 5] = [
    "accountNumber",
    "checkNumber",
    "routingCode",
    "receiptNumber",
    "bankNumber",
];

/// Checks the length of the payment details and of the note.
pub(super) fn check(params: &Params, checks: &mut Checks) {
    checks.longest("note", params.text("note").as_deref(), 1000);
    for detail in DETAILS {
        checks.longest(detail, params.text(detail).as_deref(), 50);
    }
}

/// The payment type, if the request names one.
pub(super) fn payment_type(books: &Books, params: &Params) -> Result<Option<Object>, Failure> {
    let Some(id) = params.id("paymentTypeId")? else {
        return Ok(None);
    };
    let found = books.payment_types.get(&id).cloned().map(Some);
    found.ok_or_else(|| Failure::not_found("error.msg.payment.type.invalid", vec![id.into()]))
}

/// The payment details that were sent, as `changes` in the answer shows them. Call this function only if the request
/// contains a payment type. Without a payment type, Fineract ignores the details.
pub(super) fn changes(params: &Params) -> Object {
    let details = DETAILS.iter().fold(Object::default(), |all, name| {
        all.with(name, params.text(name))
    });
    details.with("paymentTypeId", params.raw("paymentTypeId").cloned())
}

/// The `paymentDetailData` of a transaction. A field that was not sent is an empty text.
pub(super) fn described(books: &mut Books, payment_type: &Object, params: &Params) -> Object {
    let member = |key: &str| payment_type.get(key).cloned();
    let kind = object! {
        "id": member("id"), "name": member("name"), "isSystemDefined": member("isSystemDefined"),
    };
    let payment = object! {"id": next(&mut books.ids.payment_detail), "paymentType": kind};
    DETAILS.iter().fold(payment, |all, name| {
        all.with(name, params.text(name).unwrap_or_default())
    })
}
