//! Rows in CSV: a header row with `status`, `consent_id`, `expires_at` and the keys of the payloads, then one row for each
//! operation. An empty cell means that the key is missing.

use std::io::{BufReader, Read};

use super::{
    csv_payload::{self, CsvPayload},
    error::At,
    request::{checked_name, problem, table_problem},
    rows::{Draft, Rows},
    slips::Slips,
    spreadsheet,
};
use crate::{
    http::{body::BODY_LIMIT, envelope},
    table::{Cells, Table},
};

/// Reads the rows. Stops at the first row whose end cannot be found.
pub(super) fn read_rows(reader: impl Read, rows: &mut Rows) {
    let mut table = match Table::open(BufReader::new(reader), &["status"], BODY_LIMIT) {
        Ok(table) => table,
        Err((line, faults)) => {
            let faults = faults.into_iter().map(table_problem).collect();
            return rows.break_off(At::line(line), faults);
        }
    };
    let mut slips = Slips::default();
    while let Some(row) = table.next_row() {
        let at = At {
            row: Some(row.number),
            line: Some(row.line),
        };
        match row.cells {
            Err(fault) if row.is_broken => rows.break_off(at, vec![table_problem(fault)]),
            Err(fault) => rows.add(Draft {
                line: Some(row.line),
                problems: vec![table_problem(fault)],
                ..Draft::default()
            }),
            Ok(cells) => add(rows, &mut slips, (row.number, row.line), &cells),
        }
    }
}

fn add(rows: &mut Rows, slips: &mut Slips, (number, line): (i32, usize), cells: &Cells<'_>) {
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
    if let Some(entry) = entry {
        let row = (entry, &*data);
        problems.extend(slips.find(number, row, cells, rows.deployment()));
    }
    rows.add(Draft {
        consent_id,
        expires_at,
        entry,
        data: Some(&data),
        line: Some(line),
        problems,
    });
}
