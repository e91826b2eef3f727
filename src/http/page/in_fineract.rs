//! What Fineract says now about an operation.

use super::json::amount;
use crate::{
    domain::{Amount, TrackingId, Transaction},
    http::{bulk::AccountDetails, state::ApiState},
    store::Inspected,
};

/// What Fineract says now, without people's data.
pub(super) struct InFineract {
    /// The loans that the operation concerns. `None`: Fineract could not be read.
    pub(super) accounts: AccountDetails,
    /// The payment that the operation makes, compared with what was asked for. `None`: it makes none, or Fineract could
    /// not be read.
    pub(super) payment: Option<&'static str>,
}

impl InFineract {
    /// Asks Fineract.
    pub(super) async fn ask(api: &ApiState, inspected: &Inspected) -> Self {
        let unread = Self {
            accounts: None,
            payment: None,
        };
        let Some(balances) = &api.bulk.balances else {
            return unread;
        };
        let Ok(tracking_id) = inspected.tracking_id().to_string().parse() else {
            return unread;
        };
        let payload = &inspected.operation.payload;
        let same = inspected.retries.iter();
        let same: Vec<TrackingId> = same
            .filter_map(|name| name.to_string().parse().ok())
            .collect();
        let (accounts, payment) = tokio::join!(
            balances.read_for(tracking_id, payload, &api.deployment),
            balances.read_payment(tracking_id, &same, payload, &api.deployment)
        );
        let asked = amount(payload.get());
        let asked = asked.and_then(|asked| Amount::from_json_number(&asked));
        Self {
            accounts,
            payment: payment.map(|found| compared(found.as_ref(), asked)),
        }
    }
}

fn compared(found: Option<&Transaction>, asked: Option<Amount>) -> &'static str {
    match found {
        None => "not there (a payment that was made by hand is not looked for)",
        Some(payment) if !payment.stands() => "there, and undone since",
        Some(payment) => match asked {
            None => "there",
            Some(asked) if asked == payment.amount => "there, with the amount that was asked for",
            Some(_) => "there, with another amount than was asked for",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_compared_with_what_was_asked_for() {
        let payment = |reversed| -> Transaction {
            let text = format!(
                r#"{{"id": 3, "type": {{"id": 2}}, "amount": 10.500000, "manuallyReversed": {reversed}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let amount = Amount::from_json_number;
        let (stands, undone) = (payment(false), payment(true));
        assert!(compared(None, amount("10.5")).starts_with("not there"));
        assert_eq!(compared(Some(&stands), None), "there");
        assert_eq!(
            compared(Some(&stands), amount("10.5")),
            "there, with the amount that was asked for"
        );
        assert_eq!(
            compared(Some(&stands), amount("10.51")),
            "there, with another amount than was asked for"
        );
        assert_eq!(
            compared(Some(&undone), amount("10.5")),
            "there, and undone since"
        );
    }
}
