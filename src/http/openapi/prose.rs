//! Sentences about operation types and their fields, from the document that people read.

use crate::domain::OperationType;

const DOCUMENT: &str = include_str!("../../../docs/API.md");

/// What an operation of this type does; empty if the name of the type says it.
pub(super) fn effect(operation_type: OperationType) -> String {
    let lines = chapter(&format!("### {operation_type}")).lines();
    let text = lines.take_while(|line| !line.starts_with('|'));
    text.collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// What the field of this type means; empty if its key says it.
pub(super) fn meaning(operation_type: OperationType, key: &str) -> &'static str {
    cell(&format!("### {operation_type}"), &format!("`{key}`"), 4)
}

/// The definition of a kind of values.
pub(super) fn definition(kind: &str) -> &'static str {
    cell("## Values", kind, 2)
}

/// A cell of a row in the table of a chapter. The row begins with `name`.
fn cell(heading: &str, name: &str, column: usize) -> &'static str {
    let rows = chapter(heading)
        .lines()
        .map(|line| line.split('|').map(str::trim));
    let mut rows = rows.filter(|row| row.clone().nth(1) == Some(name));
    rows.next()
        .and_then(|mut row| row.nth(column))
        .unwrap_or_default()
}

/// The text under a heading.
fn chapter(heading: &str) -> &'static str {
    let found = DOCUMENT.split_once(&format!("\n{heading}\n"));
    found.map_or("", |(_, text)| text.split("\n#").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_found() {
        let create = OperationType::ClientCreate;
        assert!(effect(create).starts_with("Creates an active client"));
        assert_eq!(effect(OperationType::LoanApprove), "");
        assert_eq!(meaning(create, "externalId"), "your id of the client");
        assert_eq!(meaning(create, "lastname"), "");
        assert!(definition("day").starts_with("`11 January 2026`"));
    }
}
