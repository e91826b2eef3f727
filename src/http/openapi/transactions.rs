//! Transactions.

use serde_json::Value;

use super::{
    endpoint::{Endpoint, Row},
    examples::example,
    parameters::{operation_id, path},
    refusals::{Form, common},
    schemas::Schemas,
    security::Credential,
};
use crate::http::transactions::{TransactionBody, refusals};

/// The route of transactions.
pub(super) const TABLE: &[Row] = &[("GET /transactions/{id}", read)];

fn read(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<TransactionBody>();
    let examples: Value = example("/transactions");
    Endpoint::new(
        "readTransaction",
        "Ask for the state of a payment",
        "Reads an operation that moves money: a `LOAN_DISBURSE` is a `withdrawal`, a `LOAN_REPAYMENT` is a `payment`. Each \
         key may send 300 requests a minute.",
    )
    .with(Credential::ApiKey)
    .parameter(path("id", operation_id()))
    .answers(200, "The transaction.", body, examples)
    .renders(Form::Transaction)
    .refuses(refusals())
    .refuses(common().into_iter().skip(1))
}
