//! Reads the recordings of a real Fineract, and compares an answer with a recorded one.

use std::collections::BTreeMap;

use serde_json::Value;

/// The members of an object, in their order.
type Members = serde_json::Map<String, Value>;

/// The values of a scenario's placeholders, by name.
pub(super) type Names = BTreeMap<String, Value>;

/// Parses JSON. A number becomes a text that begins with `#`, so that it keeps all its digits.
pub(super) fn parse(text: &str) -> Option<Value> {
    let mut marked = String::with_capacity(text.len() + 64);
    let (mut in_text, mut escaped, mut in_number) = (false, false, false);
    for letter in text.chars() {
        let begins = !in_text && !in_number && (letter.is_ascii_digit() || letter == '-');
        let goes_on = in_number && (letter.is_ascii_alphanumeric() || "+-.".contains(letter));
        if begins {
            marked.push_str("\"#");
        } else if in_number && !goes_on {
            marked.push('"');
        }
        in_number = begins || goes_on;
        if letter == '"' && !escaped {
            in_text = !in_text;
        }
        escaped = letter == '\\' && !escaped;
        marked.push(letter);
    }
    if in_number {
        marked.push('"');
    }
    serde_json::from_str(&marked).ok()
}

/// Writes a value that [`parse`] has read. A text that begins with `#` becomes a number again.
pub(super) fn write(value: &Value) -> String {
    match value {
        Value::String(text) if text.starts_with('#') => text.trim_start_matches('#').to_owned(),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(write).collect::<Vec<_>>().join(",")
        ),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                format!("{}:{}", Value::from(key.as_str()), write(value))
            };
            format!(
                "{{{}}}",
                members.iter().map(member).collect::<Vec<_>>().join(",")
            )
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

/// Replaces each `{{name}}` by its value. If a text consists of one placeholder only, the value keeps its JSON type.
pub(super) fn filled(value: &Value, names: &Names) -> Value {
    match value {
        Value::String(text) => {
            let whole = text
                .strip_prefix("{{")
                .and_then(|rest| rest.strip_suffix("}}"));
            match whole.and_then(|name| names.get(name)) {
                Some(value) => value.clone(),
                None => Value::from(filled_text(text, names)),
            }
        }
        Value::Array(items) => items.iter().map(|item| filled(item, names)).collect(),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, value)| (key.clone(), filled(value, names)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Replaces each `{{name}}` in a text by its value. If the name has no value yet, an external id is made from the name
/// itself.
pub(super) fn filled_text(text: &str, names: &Names) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        out.push_str(before);
        match names.get(name) {
            Some(value) => out.push_str(value.as_str().unwrap_or_default().trim_start_matches('#')),
            None => out.push_str(&name.replace(".externalId", "-x")),
        }
        rest = after;
    }
    out + rest
}

/// Keys whose values are ids of the recorded server, or are derived from such ids. Only the JSON types of these values
/// are compared.
const IDS: &[&str] = &[
    "id",
    "clientId",
    "loanId",
    "resourceId",
    "subResourceId",
    "commandId",
    "chargeId",
    "transactionId",
    "accountNo",
    "clientAccountNo",
    "loanAccountNo",
    "savingsProductName",
    "url",
    "madeOnDate",
    "checkedOnDate",
    "transactions",
];

/// Amounts that depend on interest. The sandbox computes interest only roughly: it considers neither the dates of
/// tranches nor progressive schedules. So only the JSON types of these amounts are compared. The amount of an accrual
/// is treated in the same way.
const INTEREST: &[&str] = &[
    "interestCharged",
    "interestOutstanding",
    "interestOverdue",
    "interestPortion",
    "totalExpectedRepayment",
    "totalExpectedCostOfLoan",
    "totalOutstanding",
    "totalOverdue",
    "loanBalance",
    "delinquentAmount",
    "delinquentInterest",
];

/// Codes of errors whose argument is the id of a loan, client or transaction.
const ABOUT_AN_ID: &[&str] = &[
    "error.msg.client.not.active.exception",
    "error.msg.loan.cannot.modify.loan.in.its.present.state",
    "error.msg.loan.cannot.delete.loan.in.its.present.state",
    "error.msg.loan.id.invalid",
    "error.msg.loan.transaction.id.invalid",
];

/// Compares an answer with the recorded one, and lists the differences.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    pub(super) names: &'a Names,
    /// Whether the request is a read. In the answer to a read, amounts that depend on interest may differ.
    pub(super) is_read: bool,
    pub(super) differences: Vec<String>,
}

impl Comparison<'_> {
    /// Compares the values at `path`. Objects must have the same keys in the same order.
    pub(super) fn value(&mut self, path: &str, recorded: &Value, given: &Value) {
        match (recorded, given) {
            (Value::Object(recorded), Value::Object(given)) => {
                self.same_keys(path, recorded, given);
                let is_accrual = recorded.get("type").and_then(|kind| kind.get("id"))
                    == Some(&Value::from("#10"));
                for (key, value) in recorded {
                    let Some(given_value) = given.get(key) else {
                        continue;
                    };
                    let below = format!("{path}/{key}");
                    let any_number = IDS.contains(&key.as_str()) && !self.is_bound(value)
                        || (self.is_read && INTEREST.contains(&key.as_str()))
                        || (self.is_read && is_accrual && key == "amount")
                        || (key == "args" && is_about_an_id(recorded));
                    if any_number {
                        self.kind(&below, value, given_value);
                    } else {
                        self.value(&below, value, given_value);
                    }
                }
            }
            (Value::Array(recorded), Value::Array(given)) => {
                let given = &self.as_ordered(recorded, given);
                self.same_length(path, recorded, given);
                for (index, (recorded, given)) in recorded.iter().zip(given).enumerate() {
                    self.value(&format!("{path}/{index}"), recorded, given);
                }
            }
            (Value::String(text), Value::String(_))
                if matches!(text.as_str(), "<text>" | "<time>" | "<html>") => {}
            _ => {
                let expected = filled(recorded, self.names);
                if expected != *given {
                    self.differ(path, &expected.to_string(), &given.to_string());
                }
            }
        }
    }

    /// Sorts clients and loans into the recorded order, because Fineract returns them in no fixed order.
    fn as_ordered(&self, recorded: &[Value], given: &[Value]) -> Vec<Value> {
        let place = |thing: &Value| {
            let external_id = thing.get("externalId")?;
            recorded.iter().position(|recorded| {
                recorded
                    .get("externalId")
                    .map(|id| filled(id, self.names))
                    .as_ref()
                    == Some(external_id)
            })
        };
        let mut given = given.to_vec();
        if given.iter().all(|thing| thing.get("accountNo").is_some()) {
            given.sort_by_key(place);
        }
        given
    }

    fn is_bound(&self, value: &Value) -> bool {
        value
            .as_str()
            .is_some_and(|text| text.starts_with("{{") && filled(value, self.names) != *value)
    }

    /// Compares only the JSON types. Lists must have the same length, and objects the same keys.
    fn kind(&mut self, path: &str, recorded: &Value, given: &Value) {
        let (recorded_kind, given_kind) = (kind_of(&filled(recorded, self.names)), kind_of(given));
        if recorded_kind != given_kind {
            self.differ(path, recorded_kind, given_kind);
        }
        match (recorded, given) {
            (Value::Array(recorded), Value::Array(given)) => {
                self.same_length(path, recorded, given);
                for (index, (recorded, given)) in recorded.iter().zip(given).enumerate() {
                    let below = format!("{path}/{index}");
                    if recorded.get("type").is_some() {
                        self.value(&below, recorded, given);
                    } else {
                        self.kind(&below, recorded, given);
                    }
                }
            }
            (Value::Object(recorded), Value::Object(given)) => {
                self.same_keys(path, recorded, given);
                for (key, value) in recorded {
                    if let Some(given) = given.get(key) {
                        self.kind(&format!("{path}/{key}"), value, given);
                    }
                }
            }
            (
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_),
                _,
            ) => {}
        }
    }

    fn same_keys(&mut self, path: &str, recorded: &Members, given: &Members) {
        let keys = |members: &Members| members.keys().cloned().collect::<Vec<_>>();
        let (recorded, given) = (keys(recorded), keys(given));
        if recorded != given {
            self.differ(path, &format!("keys {recorded:?}"), &format!("{given:?}"));
        }
    }

    fn same_length(&mut self, path: &str, recorded: &[Value], given: &[Value]) {
        if recorded.len() != given.len() {
            let items = format!("{} items", recorded.len());
            self.differ(path, &items, &given.len().to_string());
        }
    }

    fn differ(&mut self, path: &str, recorded: &str, given: &str) {
        self.differences
            .push(format!("{path}: recorded {recorded}, received {given}"));
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(text) if text.starts_with('#') => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
        Value::Bool(_) => "a boolean",
        Value::Null | Value::Number(_) => "nothing",
    }
}

fn is_about_an_id(item: &Members) -> bool {
    let code = item
        .get("userMessageGlobalisationCode")
        .and_then(Value::as_str);
    code.is_some_and(|code| ABOUT_AN_ID.contains(&code))
}
