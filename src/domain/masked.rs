//! Masks personal data in the JSON of payloads, commands and answers.

use serde_json::{Value, value::RawValue};

/// What stands in place of a masked value.
pub(super) const MASK: &str = "***";

/// The keys whose values are shown to everybody: ids, dates, codes and terms. Every other text and number is masked, so a
/// field that this list does not know is masked too.
pub(super) const PLAIN: &[&str] = &[
    "activationDate",
    "active",
    "actualDisbursementDate",
    "approvedOnDate",
    "clientId",
    "code",
    "commandId",
    "dateFormat",
    "expectedDisbursementDate",
    "externalId",
    "external_loan_id",
    "groupId",
    "httpStatusCode",
    "id",
    "lenderConfig",
    "loanId",
    "loanTermFrequency",
    "loanTermFrequencyType",
    "loanType",
    "locale",
    "numberOfRepayments",
    "officeId",
    "parameterName",
    "paymentTypeId",
    "productId",
    "rejectedOnDate",
    "repaymentEvery",
    "resourceExternalId",
    "resourceId",
    "rollbackTransaction",
    "savingsId",
    "status",
    "subResourceExternalId",
    "submittedOnDate",
    "transactionDate",
    "transactionId",
    "userMessageGlobalisationCode",
    "withdrawnOnDate",
];

/// A JSON value with the same keys and the same structure, in which personal data is masked. A text that is not JSON is
/// masked as a whole.
pub fn masked(raw: &RawValue) -> Box<RawValue> {
    let value = serde_json::from_str(raw.get()).unwrap_or(Value::Null);
    let masked = mask(value, false);
    serde_json::value::to_raw_value(&masked).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn mask(value: Value, is_plain: bool) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| {
                let is_plain = PLAIN.contains(&key.as_str());
                (key, mask(value, is_plain))
            });
            Value::Object(fields.collect())
        }
        Value::Array(values) => {
            let values = values.into_iter().map(|value| mask(value, is_plain));
            Value::Array(values.collect())
        }
        Value::String(_) | Value::Number(_) if !is_plain => Value::String(MASK.to_owned()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_contacts_and_amounts_are_masked() {
        for (raw, expected) in [
            (
                r#"{"firstname":"Jayesh","mobileNo":"9966","externalId":"C-1","activationDate":"01 January 2026"}"#,
                r#"{"firstname":"***","mobileNo":"***","externalId":"C-1","activationDate":"01 January 2026"}"#,
            ),
            (
                r#"{"resourceId":7,"changes":{"principal":100000.10,"locale":"en","active":true}}"#,
                r#"{"resourceId":7,"changes":{"principal":"***","locale":"en","active":true}}"#,
            ),
            (
                r#"{"errors":[{"developerMessage":"Jayesh","parameterName":"mobileNo","args":[{"value":"9966"}]}]}"#,
                r#"{"errors":[{"developerMessage":"***","parameterName":"mobileNo","args":[{"value":"***"}]}]}"#,
            ),
            (
                r#"{"transactionDate":[2026,1,11]}"#,
                r#"{"transactionDate":[2026,1,11]}"#,
            ),
            (r#""a name""#, r#""***""#),
            (
                r#"{"externalId":{"name":"x"}}"#,
                r#"{"externalId":{"name":"***"}}"#,
            ),
        ] {
            let raw = RawValue::from_string(raw.to_owned()).unwrap();
            assert_eq!(masked(&raw).get(), expected);
        }
    }
}
