//! The ledger: the list of all committed effects, in their order. Tests compare the ledger with the results of a
//! gateway.

use super::json::{Json, Object, object};
use super::operations::{Operation, Posting};

/// The effects of client and loan commands since the start or the last reset.
#[derive(Debug, Default)]
pub(super) struct Ledger(Vec<Object>);

impl Ledger {
    pub(super) fn post(&mut self, operation: &Operation, posting: &Posting, key: &str) {
        let seq = i64::try_from(self.0.len()).unwrap_or(i64::MAX - 1) + 1;
        self.0.push(object! {
            "seq": seq,
            "action": operation.action,
            "entity": operation.entity,
            "externalId": posting.external_id.as_deref(),
            "transactionExternalId": posting.transaction_external_id.as_deref(),
            "amount": posting.amount.map(Json::plain),
            "idempotencyKey": key,
        });
    }

    pub(super) fn json(&self) -> Json {
        self.0.clone().into()
    }
}
