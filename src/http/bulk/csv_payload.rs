//! Converts the cells of a row into its payload.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::{
    request::problem,
    spreadsheet::{self, Sign},
};
use crate::operations::{
    Deployment, Entry, InvalidPayload, Problem, is_json_number, json_text, named_by, object,
    pointer_of,
};

/// A payload that was built from cells.
#[derive(Debug)]
pub(super) struct CsvPayload {
    /// The payload.
    pub(super) data: Box<RawValue>,
    /// Problems of the cells themselves. They replace the problems that the type's check reports for the same fields.
    pub(super) problems: Vec<Problem>,
}

/// Builds the payload of a row. A cell becomes a JSON string. There are two exceptions. If the operation type requires
/// a number in the field and the cell is written like a JSON number, the cell becomes that number, digit for digit. (A
/// phone number stays a string.) A date in one of the two formats of [`spreadsheet::day`] is rewritten in the format of
/// a payload.
pub(super) fn payload(
    entry: Option<&Entry>,
    cells: &[(&str, &str)],
    deployment: &Deployment,
) -> CsvPayload {
    let mut problems: HashMap<&str, Problem> = HashMap::new();
    for &(key, text) in cells {
        if let Some(sign) = spreadsheet::sign(text, named_by(key).is_some()) {
            problems.insert(key, sign_problem(key, sign));
        }
    }
    let texts = payload_of(cells, &HashMap::new());
    let mut values = HashMap::new();
    let checked = entry.map(|entry| (entry.check)(&texts, deployment));
    if let Some(Err(InvalidPayload { problems: theirs })) = checked {
        for Problem { pointer, code, .. } in theirs {
            let found = cells.iter().find(|(key, _)| pointer == pointer_of(key));
            let Some(&(key, text)) = found else { continue };
            match value(code, text) {
                Some(Ok(value)) => {
                    values.insert(key, value);
                }
                Some(Err(sign)) => {
                    problems
                        .entry(key)
                        .or_insert_with(|| sign_problem(key, sign));
                }
                None => {}
            }
        }
    }
    CsvPayload {
        data: payload_of(cells, &values),
        problems: cells
            .iter()
            .filter_map(|(key, _)| problems.remove(key))
            .collect(),
    }
}

/// Converts a cell to JSON. `code` is the problem that the check of the payload has found in the cell's text. If the
/// cell cannot be converted, returns the problem of the cell. `None` if `code` is neither `wrong_type` nor
/// `invalid_date`.
fn value(code: &str, text: &str) -> Option<Result<String, Sign>> {
    let value = match code {
        "wrong_type" if spreadsheet::is_rounded(text) => {
            Err((spreadsheet::ROUNDED, spreadsheet::HOW_TO_WRITE_ALL_DIGITS))
        }
        "wrong_type" if is_json_number(text) => Ok(text.to_owned()),
        "wrong_type" => {
            let message = "must be a number like 100000.50: digits, and a point before decimals, without commas, blanks, a currency or leading zeros";
            Err(spreadsheet::sign(text, true).unwrap_or(("wrong_type", message)))
        }
        "invalid_date" => {
            let message = "must be a day of the calendar, written like 11 January 2026, 2026-01-11 or 11-Jan-2026 (with all four digits of the year)";
            spreadsheet::day(text)
                .map(|day| json_text(&day.to_string()))
                .ok_or_else(|| spreadsheet::sign(text, true).unwrap_or(("invalid_date", message)))
        }
        _ => return None,
    };
    Some(value)
}

/// All problems of a row: `own` are the problems of the cells, `theirs` are the problems from the check of the payload.
/// If both lists have a problem of the same field, only the problem in `own` is kept.
pub(super) fn merged(mut own: Vec<Problem>, theirs: Vec<Problem>) -> Vec<Problem> {
    let mut theirs: Vec<Problem> = theirs
        .into_iter()
        .map(|problem| {
            let same = own.iter().position(|own| own.pointer == problem.pointer);
            same.map_or(problem, |index| own.remove(index))
        })
        .collect();
    own.append(&mut theirs);
    own
}

fn sign_problem(key: &str, (code, message): Sign) -> Problem {
    problem(&pointer_of(key), code, message)
}

fn payload_of(cells: &[(&str, &str)], values: &HashMap<&str, String>) -> Box<RawValue> {
    object(cells.iter().map(|&(key, text)| {
        let value = values.get(key).cloned();
        (key, value.unwrap_or_else(|| json_text(text)))
    }))
}
