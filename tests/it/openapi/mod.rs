//! The OpenAPI document: what is committed is what the code says, and a change of it breaks no caller.

mod breaking;
mod methods;
mod served;

use std::{collections::BTreeSet, fs, path::PathBuf};

use fineract_gateway::{
    http::{api_document, routes},
    operations::Deployment,
};
use serde_json::Value;

use breaking::Comparison;

/// If this variable is set, the test writes the document instead of comparing it.
const WRITE: &str = "OPENAPI_WRITE";

/// The document of a gateway with the lenders that `LENDERS` has if it is not set.
fn document() -> Value {
    let lenders = "LIQUILOANS,UGRO,DMI,ARTHMATE,SHIVALIK,VIVRITI,GB,IKF,LENDINGKART";
    let lenders = lenders
        .split(',')
        .map(|name| (name.to_owned(), name.to_owned()));
    api_document(&Deployment {
        office_id: 1,
        payment_type: None,
        lenders: lenders.collect(),
    })
}

fn committed(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name)
}

fn read(name: &str) -> Value {
    let text = fs::read_to_string(committed(name)).expect("the file is committed");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_committed_document_is_that_of_the_code() {
    let mut text = serde_json::to_string_pretty(&document()).expect("JSON");
    text.push('\n');
    let file = committed("openapi.json");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&file, &text).expect("the file can be written");
    }
    let same = fs::read_to_string(&file).is_ok_and(|committed| committed == text);
    assert!(
        same,
        "docs/openapi.json is not up to date: {WRITE}=1 cargo test --test it openapi"
    );
}

#[test]
fn no_change_breaks_callers() {
    let (released, now) = (read("openapi-released.json"), document());
    let major = |document: &Value| {
        let version = document["info"]["version"].as_str().expect("a version");
        version.split('.').next().expect("a number").to_owned()
    };
    if major(&released) != major(&now) {
        return;
    }
    let breaks = Comparison::of(&released, &now);
    assert!(
        breaks.is_empty(),
        "callers of version {} would have to change their programs:\n{}",
        released["info"]["version"],
        breaks.join("\n")
    );
}

#[test]
fn the_document_has_the_routes_of_the_router() {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let methods = ["get", "post", "put", "patch", "delete"];
    let described: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = methods.iter().filter(|method| item.get(method).is_some());
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let served: BTreeSet<String> = routes()
        .iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(described, served);
}

#[test]
fn every_name_in_the_document_is_found_and_used_once() {
    let document = document();
    let mut references = BTreeSet::new();
    let mut ids = Vec::new();
    collect(&document, &mut references, &mut ids);
    for reference in &references {
        let pointer = reference
            .strip_prefix('#')
            .expect("a reference into the document");
        assert!(
            document.pointer(pointer).is_some(),
            "there is no {reference}"
        );
    }
    for (name, _) in document["components"]["schemas"]
        .as_object()
        .expect("schemas")
    {
        let is_used = references.contains(&format!("#/components/schemas/{name}"));
        assert!(is_used, "nothing uses the schema {name}");
        let has_number = name.ends_with(|last: char| last.is_ascii_digit());
        assert!(!has_number, "two types have the name of the schema {name}");
    }
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
}

/// Collects all references, and the ids of the operations.
fn collect(value: &Value, references: &mut BTreeSet<String>, ids: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), member) {
                    ("$ref", Value::String(to)) => drop(references.insert(to.clone())),
                    ("operationId", Value::String(id)) => ids.push(id.clone()),
                    _ => collect(member, references, ids),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
