//! Rows in CSV (RFC 4180): a header row of `status`, `consent_id` and the payloads' keys, one row an
//! operation. An empty cell is a key that is not there.

use std::{collections::HashSet, io::Read};

use csv::{ByteRecord, ReaderBuilder, StringRecord};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    request::{checked_name, problem},
    rows::{Draft, Rows},
};
use crate::{
    http::envelope,
    operations::{Deployment, Entry, InvalidPayload, Problem},
};

/// The cells of a payload: keys, and texts that are not empty.
pub(super) type Cells<'a> = Vec<(&'a str, &'a str)>;

/// Reads every row. `Err`: the header row is not one, so that no row was read.
pub(super) fn read_rows(reader: impl Read, rows: &mut Rows) -> Result<(), Vec<Problem>> {
    let mut table = Table::open(reader, &["status"])?;
    while let Some(record) = table.next() {
        add(rows, &table.header, record);
    }
    Ok(())
}

/// A table whose header row has been read.
pub(super) struct Table<R> {
    reader: csv::Reader<R>,
    /// The names of the columns.
    pub(super) header: StringRecord,
    record: ByteRecord,
}

impl<R: Read> Table<R> {
    /// Reads the header row, which must have these columns, and each column once.
    pub(super) fn open(reader: R, required: &[&str]) -> Result<Self, Vec<Problem>> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(reader);
        let Ok(header) = reader.headers().cloned() else {
            let message = "must be CSV in UTF-8, with a header row";
            return Err(vec![problem("", "broken_csv", message)]);
        };
        let mut problems = Vec::new();
        let mut seen = HashSet::new();
        for name in &header {
            if !seen.insert(name) {
                let message = "stands more than once in the header row";
                problems.push(problem(&format!("/{name}"), "repeated_field", message));
            }
        }
        for name in required {
            if !seen.contains(name) {
                let message = "must be a column of the header row";
                problems.push(problem(&format!("/{name}"), "required", message));
            }
        }
        if problems.is_empty() {
            Ok(Self {
                reader,
                header,
                record: ByteRecord::new(),
            })
        } else {
            Err(problems)
        }
    }

    /// The next row, or what is wrong with it.
    pub(super) fn next(&mut self) -> Option<Result<StringRecord, Problem>> {
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => {}
            // The bytes are in memory, and rows may be of any length: nothing can fail but the end.
            Ok(false) | Err(_) => return None,
        }
        let Ok(record) = StringRecord::from_byte_record(self.record.clone()) else {
            return Some(Err(problem("", "not_utf8", "must be UTF-8")));
        };
        if record.len() == self.header.len() {
            return Some(Ok(record));
        }
        let (cells, columns) = (record.len(), self.header.len());
        let message = format!("has {cells} cells where the header row has {columns}");
        Some(Err(problem("", "wrong_length", message)))
    }
}

fn add(rows: &mut Rows, header: &StringRecord, record: Result<StringRecord, Problem>) {
    let record = match record {
        Ok(record) => record,
        Err(fault) => {
            rows.add(Draft {
                problems: vec![fault],
                ..Draft::default()
            });
            return;
        }
    };
    let mut problems = Vec::new();
    let consent_id = cell(header, &record, "consent_id")
        .map(|name| checked_name("/consent_id", name.to_owned()))
        .and_then(|name| name.map_err(|fault| problems.push(fault)).ok());
    let entry = cell(header, &record, "status")
        .ok_or_else(|| problem("/status", "required", "is required"))
        .and_then(envelope::entry_of)
        .map_err(|fault| problems.push(fault))
        .ok();
    let data = payload(
        entry,
        &cells(header, &record, &["status", "consent_id"]),
        rows.deployment(),
    );
    rows.add(Draft {
        consent_id,
        entry,
        data: Some(&data),
        problems,
    });
}

/// The text of a column, unless it is empty.
pub(super) fn cell<'a>(
    header: &StringRecord,
    record: &'a StringRecord,
    name: &str,
) -> Option<&'a str> {
    let column = header.iter().position(|known| known == name)?;
    record.get(column).filter(|text| !text.is_empty())
}

/// The cells that are not empty, but for those of these columns.
pub(super) fn cells<'a>(
    header: &'a StringRecord,
    record: &'a StringRecord,
    without: &[&str],
) -> Cells<'a> {
    header
        .iter()
        .zip(record)
        .filter(|(name, text)| !without.contains(name) && !text.is_empty())
        .collect()
}

/// The payload of a row. A cell is a text, which a phone number stays; where the type's own check wants
/// another kind of value and the cell reads as a JSON number, it stands as that number, digit for digit.
pub(super) fn payload(
    entry: Option<&Entry>,
    cells: &[(&str, &str)],
    deployment: &Deployment,
) -> Box<RawValue> {
    let texts = object(cells, &HashSet::new());
    let Some(Err(InvalidPayload { problems })) =
        entry.map(|entry| (entry.check)(&texts, deployment))
    else {
        return texts;
    };
    let numbers: HashSet<&str> = problems
        .iter()
        .filter(|problem| problem.code == "wrong_type")
        .filter_map(|problem| problem.pointer.strip_prefix("/data/"))
        .collect();
    object(cells, &numbers)
}

fn object(cells: &[(&str, &str)], numbers: &HashSet<&str>) -> Box<RawValue> {
    let members: Vec<String> = cells
        .iter()
        .map(|&(key, text)| {
            let value = if numbers.contains(key) && is_json_number(text) {
                text.to_owned()
            } else {
                json_text(text)
            };
            format!("{}:{value}", json_text(key))
        })
        .collect();
    let object = format!("{{{}}}", members.join(","));
    RawValue::from_string(object).unwrap_or_default()
}

fn json_text(text: &str) -> String {
    to_raw_value(text)
        .map(|raw| raw.get().to_owned())
        .unwrap_or_default()
}

fn is_json_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_json_calls_one() {
        for (text, expected) in [
            ("100000.10", true),
            ("-1", true),
            ("1e5", true),
            ("0", true),
            ("007", false),
            ("1.", false),
            ("+1", false),
            (" 1", false),
            ("1 ", false),
            ("1,000", false),
            ("true", false),
            ("", false),
        ] {
            assert_eq!(is_json_number(text), expected, "{text:?}");
        }
    }
}
