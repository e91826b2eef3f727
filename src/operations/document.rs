//! Compares the fields in `docs/API.md` with the fields that the operation types accept.

use std::collections::BTreeSet;

use super::{Entry, REGISTRY, requires_number, testing::deployment, testing::raw};

const DOCUMENT: &str = include_str!("../../docs/API.md");

/// A row of the table of fields of an operation type.
struct Field<'a> {
    key: &'a str,
    is_required: bool,
    kind: &'a str,
    meaning: &'a str,
}

/// The rows of the table of fields of an operation type.
fn fields_of(entry: &Entry) -> Vec<Field<'static>> {
    let heading = format!("### {}\n", entry.operation_type);
    let (_, chapter) = DOCUMENT.split_once(&heading).expect("a chapter of it");
    let chapter = chapter.split("\n#").next().unwrap_or_default();
    let lines = chapter.lines().filter_map(|line| line.strip_prefix("| `"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [key, required, kind, meaning, ""] = cells.as_slice() else {
                panic!("a line of four cells: {line}");
            };
            Field {
                key: key.trim_end_matches('`'),
                is_required: *required == "required",
                kind,
                meaning,
            }
        })
        .collect()
}

/// A valid and an invalid value for a field.
fn examples(field: &Field<'_>) -> (String, String) {
    let text = |length: usize| format!("\"{}\"", "x".repeat(length));
    match field.kind.split_once(", ") {
        Some(("text", longest)) => {
            let longest = longest.parse().expect("a length");
            (text(longest), text(longest + 1))
        }
        Some(_) => panic!("no such kind: {}", field.kind),
        None => match field.kind {
            "id" => (text(100), text(101)),
            "UTR" => (text(50), text(51)),
            "day" => ("\"11 January 2026\"".into(), "\"2026-01-11\"".into()),
            "money" => ("100000.10".into(), "0".into()),
            "rate" => ("0".into(), "-1".into()),
            "count" => ("12.0".into(), "0".into()),
            "text" if field.meaning.contains("`days`") => ("\"years\"".into(), "\"year\"".into()),
            "text" => ("\"UGRO\"".into(), "\"NOBODY\"".into()),
            kind => panic!("no such kind: {kind}"),
        },
    }
}

/// The problems of a payload: key and code.
fn problems(entry: &Entry, payload: &str) -> Vec<(String, &'static str)> {
    let checked = (entry.check)(&raw(payload), &deployment());
    let problems = checked.err().map(|invalid| invalid.problems);
    let problems = problems.into_iter().flatten();
    problems
        .map(|problem| (problem.pointer.replace("/data/", ""), problem.code))
        .collect()
}

#[test]
fn every_type_accepts_the_documented_fields() {
    let all: BTreeSet<&str> = REGISTRY
        .iter()
        .flat_map(|entry| fields_of(entry).into_iter().map(|field| field.key))
        .collect();
    for entry in REGISTRY {
        let fields = fields_of(entry);
        let name = entry.operation_type;
        let required: BTreeSet<String> = fields
            .iter()
            .filter(|field| field.is_required)
            .map(|field| field.key.to_owned())
            .collect();
        let missing = problems(entry, "{}");
        let missing = missing.into_iter().filter(|(_, code)| *code == "required");
        let missing: BTreeSet<String> = missing
            .map(|(key, _)| key)
            .filter(|key| all.contains(key.as_str()))
            .collect();
        assert_eq!(missing, required, "{name}");
        for key in &all {
            let (good, bad) = match fields.iter().find(|field| field.key == *key) {
                Some(field) => examples(field),
                None => ("1".to_owned(), "1".to_owned()),
            };
            let is_known = fields.iter().any(|field| field.key == *key);
            let has_problem = |value: &str| {
                let found = problems(entry, &format!("{{\"{key}\":{value}}}"));
                found.into_iter().find(|(of, _)| of == key)
            };
            let unknown = (!is_known).then(|| ((*key).to_owned(), "unknown_field"));
            assert_eq!(has_problem(&good), unknown, "{name} {key} {good}");
            assert!(has_problem(&bad).is_some(), "{name} {key} {bad}");
        }
    }
}

#[test]
fn money_rates_and_counts_are_numbers_and_all_else_are_texts() {
    for entry in REGISTRY {
        for Field { key, kind, .. } in fields_of(entry) {
            let is_number = ["money", "rate", "count"].contains(&kind);
            let name = entry.operation_type;
            assert_eq!(requires_number(entry, key), is_number, "{name} {key}");
        }
    }
}
