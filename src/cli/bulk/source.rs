//! Reads a file of operations: the body to send, and the cells of its rows.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    operations::Entries,
    table::{Table, without_byte_order_mark},
};

/// The cells of a row: for each cell, the name of its column and its text.
pub(super) type Row = Vec<(String, String)>;

/// A file of operations.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    kind: Kind,
    content: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Lines,
    Csv,
}

/// The body of a batch in JSON.
#[derive(Serialize)]
struct Batch<'a> {
    reference_id: &'a str,
    file_name: &'a str,
    accept: &'a str,
    global_config: Option<Box<RawValue>>,
    operations: Box<RawValue>,
}

#[derive(Deserialize)]
struct Parsed {
    global_config: Option<Box<RawValue>>,
    operations: Box<RawValue>,
}

impl Source {
    /// Reads a file. Its extension determines its format.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let kind = match path.extension().and_then(OsStr::to_str) {
            Some("csv") => Kind::Csv,
            Some("ndjson" | "jsonl") => Kind::Lines,
            Some("json") => Kind::Json,
            _ => bail!(
                "{} ends in none of .csv, .ndjson, .jsonl, .json",
                path.display()
            ),
        };
        let content =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            kind,
            content,
        })
    }

    /// The name of the file without its folder.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The default path of the file for the failed rows.
    pub(super) fn failed_path(&self) -> PathBuf {
        self.path.with_extension("failed.csv")
    }

    pub(super) fn media_type(&self) -> &'static str {
        match self.kind {
            Kind::Json => "application/json",
            Kind::Lines => "application/x-ndjson",
            Kind::Csv => "text/csv",
        }
    }

    /// The parameters of the query. For JSON they are in the body instead.
    pub(super) fn query<'a>(
        &self,
        reference_id: &'a str,
        name: &'a str,
        accept: &'a str,
    ) -> Vec<(&'static str, &'a str)> {
        match self.kind {
            Kind::Json => Vec::new(),
            Kind::Lines | Kind::Csv => vec![
                ("reference_id", reference_id),
                ("file_name", name),
                ("accept", accept),
            ],
        }
    }

    /// The body to send. A JSON file contains a list of operations, or an object with such a list.
    pub(super) fn body(&self, reference_id: &str, accept: &str) -> anyhow::Result<Vec<u8>> {
        if self.kind != Kind::Json {
            return Ok(self.content.clone());
        }
        let Parsed {
            global_config,
            operations,
        } = self.parsed()?;
        let batch = Batch {
            reference_id,
            file_name: &self.name(),
            accept,
            global_config,
            operations,
        };
        Ok(serde_json::to_vec(&batch)?)
    }

    fn parsed(&self) -> anyhow::Result<Parsed> {
        let text = std::str::from_utf8(without_byte_order_mark(&self.content))
            .context("the file is not UTF-8")?;
        if text.trim_start().starts_with('[') {
            return Ok(Parsed {
                global_config: None,
                operations: RawValue::from_string(text.trim().to_owned())
                    .context("the file is not JSON")?,
            });
        }
        serde_json::from_str(text)
            .context("the file is neither a list of operations nor an object with such a list")
    }

    /// All rows in the order of the file. A row that cannot be parsed has no cells.
    pub(super) fn rows(&self) -> anyhow::Result<Vec<Row>> {
        match self.kind {
            Kind::Csv => Ok(csv_rows(without_byte_order_mark(&self.content))),
            Kind::Lines => Ok(without_byte_order_mark(&self.content)
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::trim_ascii)
                .filter(|line| !line.is_empty())
                .map(json_row)
                .collect()),
            Kind::Json => {
                let operations = self.parsed()?.operations;
                let rows: Vec<Box<RawValue>> = serde_json::from_str(operations.get())?;
                Ok(rows
                    .iter()
                    .map(|row| json_row(row.get().as_bytes()))
                    .collect())
            }
        }
    }
}

/// The rows of a CSV file, numbered as the gateway numbers them.
fn csv_rows(content: &[u8]) -> Vec<Row> {
    let Ok(mut table) = Table::open(content, &[], usize::MAX) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    while let Some(row) = table.next_row() {
        let cells = row.cells.as_ref().ok();
        let owned = cells.map(|cells| {
            let cells = cells.filled();
            cells
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .collect()
        });
        rows.push(owned.unwrap_or_default());
    }
    rows
}

fn json_row(text: &[u8]) -> Row {
    let Ok(Entries(entries)) = serde_json::from_slice(text) else {
        return Row::new();
    };
    let mut row = Row::new();
    for (key, value) in entries {
        match serde_json::from_str(value.get()) {
            Ok(Entries(cells)) if key == "data" => {
                row.extend(cells.into_iter().map(|(key, value)| (key, cell(value))));
            }
            Ok(_) | Err(_) => row.push((key, cell(value))),
        }
    }
    row
}

/// Converts a JSON value to a cell: a string to its text, a number to its digits, null to an empty cell.
fn cell(value: &RawValue) -> String {
    let text = value.get();
    if text == "null" {
        return String::new();
    }
    serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
}
