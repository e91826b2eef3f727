//! Rows in CSV: a header row of `status`, `consent_id`, `expires_at` and the payloads' keys, one row an
//! operation. An empty cell is a key that is not there.

use std::io::{BufReader, Read};

use super::{
    csv_payload::{self, CsvPayload},
    error::At,
    request::{checked_name, problem},
    rows::{Draft, Rows},
    spreadsheet,
};
use crate::{
    http::envelope,
    operations::Problem,
    table::{Cells, Fault, Table},
};

/// The table cannot be read, or not to its end: why stands among the problems of the rows, in front.
#[derive(Debug)]
pub(super) struct Unreadable;

/// Reads every row.
pub(super) fn read_rows(reader: impl Read, rows: &mut Rows) -> Result<(), Unreadable> {
    let opened = Table::open(BufReader::new(reader), &["status"]);
    let mut table = opened.map_err(|(line, faults)| {
        rows.problems
            .put_first(At::line(line), faults.into_iter().map(told).collect());
        Unreadable
    })?;
    while let Some(row) = table.next_row() {
        let at = At {
            row: Some(row.number),
            line: Some(row.line),
        };
        let is_taken = match row.cells {
            Err(fault) if row.is_broken => {
                rows.problems.put_first(at, vec![told(fault)]);
                return Err(Unreadable);
            }
            Err(fault) => rows.add(Draft {
                line: Some(row.line),
                problems: vec![told(fault)],
                ..Draft::default()
            }),
            Ok(cells) => add(rows, row.line, &cells),
        };
        if !is_taken {
            break;
        }
    }
    Ok(())
}

/// What is wrong with a table, as a problem of the request.
pub(super) fn told(fault: Fault) -> Problem {
    let pointer = fault.column.map(|column| format!("/{column}"));
    problem(&pointer.unwrap_or_default(), fault.code, fault.message)
}

fn add(rows: &mut Rows, line: usize, cells: &Cells<'_>) -> bool {
    let mut problems = Vec::new();
    let consent_id = cells
        .get("consent_id")
        .map(|name| match spreadsheet::sign(name, true) {
            Some((code, message)) => Err(problem("/consent_id", code, message)),
            None => checked_name("/consent_id", name.to_owned()),
        })
        .and_then(|name| name.map_err(|fault| problems.push(fault)).ok());
    let entry = cells
        .get("status")
        .ok_or_else(|| problem("/status", "required", "is required"))
        .and_then(envelope::entry_of)
        .map_err(|fault| problems.push(fault))
        .ok();
    let expires_at = cells.get("expires_at").and_then(|text| {
        envelope::time(text)
            .map_err(|fault| problems.push(fault))
            .ok()
    });
    let payload: Vec<(&str, &str)> = cells
        .filled()
        .filter(|(name, _)| !["status", "consent_id", "expires_at"].contains(name))
        .collect();
    let CsvPayload {
        data,
        problems: theirs,
    } = csv_payload::payload(entry, &payload, rows.deployment());
    problems.extend(theirs);
    rows.add(Draft {
        consent_id,
        expires_at,
        entry,
        data: Some(&data),
        line: Some(line),
        problems,
    })
}
