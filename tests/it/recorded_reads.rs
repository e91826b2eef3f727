//! The gateway can parse every recorded read: each recording has all keys that the gateway needs.

use std::fs;

use fineract_gateway::domain::{Client, Loan, Named, Product, Transaction};
use serde_json::{Value, json};

/// The folders of the recordings, one for each release. They are beside the sandbox, which gives the recorded answers.
const FOLDERS: [&str; 2] = ["recorded", "recorded-1.10.1"];

/// Keys whose value is a number. The recordings have a placeholder in its place.
const NUMBERS: [&str; 5] = ["id", "clientId", "loanProductId", "chargeId", "loanId"];

/// The value with a number in place of each placeholder.
fn numbered(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(numbered).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| {
                let is_named = value.as_str().is_some_and(|text| text.starts_with("{{"));
                let value = if is_named && NUMBERS.contains(&key.as_str()) {
                    json!(7)
                } else {
                    numbered(value)
                };
                (key.clone(), value)
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Parses a body as the gateway does. `None` if the gateway never reads such a path.
fn understood(path: &str, mut body: Value) -> Option<Result<(), serde_json::Error>> {
    let (path, associations) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path
        .split('/')
        .skip(1)
        .filter(|part| *part != "external-id")
        .collect();
    Some(match *parts.as_slice() {
        ["clients", _] => Client::parse(&body.to_string()).map(drop),
        ["loans", id] if id != "template" => {
            if !associations.contains("multiDisburseDetails") {
                body["disbursementDetails"] = json!([]);
            }
            Loan::parse(&body.to_string()).map(drop)
        }
        ["loans", _, "transactions", id] if id != "template" => {
            Transaction::parse(&body.to_string()).map(drop)
        }
        ["loanproducts", _] => Product::parse(&body.to_string()).map(drop),
        ["loanproducts" | "paymenttypes"] => Named::parse_list(&body.to_string()).map(drop),
        _ => return None,
    })
}

/// The recordings of a release, each with its name.
fn recordings(folder: &str) -> Vec<(String, Value)> {
    let root = env!("CARGO_MANIFEST_DIR");
    let folder = format!("{root}/crates/fineract-sandbox/tests/{folder}");
    let files = fs::read_dir(folder).expect("the recordings");
    files
        .map(|file| {
            let path = file.expect("a file").path();
            let text = fs::read_to_string(&path).expect("a recording");
            let recording = serde_json::from_str(&text).expect("JSON");
            (path.display().to_string(), recording)
        })
        .collect()
}

#[test]
fn every_recorded_read_is_understood() {
    let (mut read, mut failures) = (0, Vec::new());
    for (scenario, recording) in FOLDERS.into_iter().flat_map(recordings) {
        for step in recording["steps"].as_array().into_iter().flatten() {
            let (request, response) = (&step["request"], &step["response"]);
            let is_whole = response.get("only_keys").is_none();
            if request["method"] != "GET" || response["status"] != 200 || !is_whole {
                continue;
            }
            let path = request["path"].as_str().expect("a path");
            match understood(path, numbered(&response["body"])) {
                Some(Ok(())) => read += 1,
                Some(Err(error)) => {
                    failures.push(format!("{scenario} {path}: {error}"));
                }
                None => {}
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(read >= 40, "{read}");
}
