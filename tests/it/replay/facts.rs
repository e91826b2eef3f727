//! What the gateway understands of what was recorded: every key that it cannot do without was there, each time.

use fineract_gateway::domain::{Client, Loan, Named, Product, Transaction};
use serde_json::{Value, json};

use super::recorded::write;
use super::scenarios::{recording, scenarios};

/// Keys that bear a number, for which the recordings have a name.
const NUMBERS: [&str; 5] = ["id", "clientId", "loanProductId", "chargeId", "loanId"];

/// With a number for every name of one.
fn numbered(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(numbered).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| {
                let is_named = value.as_str().is_some_and(|text| text.starts_with("{{"));
                let value = if is_named && NUMBERS.contains(&key.as_str()) {
                    json!("#7")
                } else {
                    numbered(value)
                };
                (key.clone(), value)
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Reads it as the gateway does; `None` where it never reads such a thing.
fn understood(path: &str, mut body: Value) -> Option<Result<(), serde_json::Error>> {
    let (path, associations) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path
        .split('/')
        .skip(1)
        .filter(|part| *part != "external-id")
        .collect();
    Some(match *parts.as_slice() {
        ["clients", _] => Client::parse(&write(&body)).map(drop),
        ["loans", id] if id != "template" => {
            if !associations.contains("multiDisburseDetails") {
                body["disbursementDetails"] = json!([]);
            }
            Loan::parse(&write(&body)).map(drop)
        }
        ["loans", _, "transactions", id] if id != "template" => {
            Transaction::parse(&write(&body)).map(drop)
        }
        ["loanproducts", _] => Product::parse(&write(&body)).map(drop),
        ["loanproducts" | "paymenttypes"] => Named::parse_list(&write(&body)).map(drop),
        _ => return None,
    })
}

#[test]
fn every_recorded_read_is_understood() {
    let (mut read, mut failures) = (0, Vec::new());
    for (release, scenario) in scenarios() {
        let recording = recording(release, scenario);
        for step in recording["steps"].as_array().expect("steps") {
            let (request, response) = (&step["request"], &step["response"]);
            let is_whole = response.get("only_keys").is_none();
            if request["method"] != "GET" || response["status"] != "#200" || !is_whole {
                continue;
            }
            let path = request["path"].as_str().expect("a path");
            match understood(path, numbered(&response["body"])) {
                Some(Ok(())) => read += 1,
                Some(Err(error)) => {
                    failures.push(format!("{release:?} {scenario} {path}: {error}"));
                }
                None => {}
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(read >= 40, "{read}");
}
