//! A strict parser for CSV (RFC 4180) with a header row. It ignores what spreadsheets add, such as empty rows and
//! columns.
//!
//! No existing crate is used, because the examined crates continue after a wrong quote and then read several rows as
//! one.

mod records;

use std::{collections::HashSet, io::BufRead};

use self::records::{Broken, Record, Records};

/// The code of a row that has too many bytes.
pub const TOO_LARGE: &str = "too_large";

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Removes the byte order mark that some programs write at the beginning of a file.
pub fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// A table whose header row has been read. Empty rows and columns are ignored.
#[derive(Debug)]
pub struct Table<R> {
    records: Records<R>,
    /// The names of the columns; an empty column has an empty name.
    columns: Vec<String>,
    rows: i32,
    is_broken: bool,
    longest: usize,
}

/// A problem of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The column, or `None` if the problem concerns the row or the table as a whole.
    pub column: Option<String>,
    /// The stable code of the problem.
    pub code: &'static str,
    /// What must be corrected. The message never contains what the caller sent, except the names of columns.
    pub message: String,
}

impl Fault {
    fn whole(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            column: None,
            code,
            message: message.into(),
        }
    }
}

/// One row.
#[derive(Debug)]
pub struct Row<'a> {
    /// The row's number among the rows that are not empty, from 1.
    pub number: i32,
    /// The line of the file in which the row begins.
    pub line: usize,
    /// The row's cells, or the problem of the row.
    pub cells: Result<Cells<'a>, Fault>,
    /// Whether the rest of the table cannot be read, because it is uncertain where this row ends.
    pub is_broken: bool,
}

/// The cells of a row.
#[derive(Debug)]
pub struct Cells<'a> {
    columns: &'a [String],
    texts: Vec<String>,
}

impl Cells<'_> {
    /// The cells that are not empty: the names of their columns, and their texts.
    pub fn filled(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.columns.iter().map(String::as_str);
        let texts = self.texts.iter().map(String::as_str);
        names.zip(texts).filter(|(_, text)| !text.is_empty())
    }

    /// The names of the columns whose cell is empty.
    pub fn empty(&self) -> impl Iterator<Item = &str> {
        let names = self.columns.iter().zip(&self.texts);
        names
            .filter(|(_, text)| text.is_empty())
            .map(|(name, _)| name.as_str())
    }

    /// The text of the cell in this column, or `None` if the cell is empty.
    pub fn get(&self, column: &str) -> Option<&str> {
        let mut filled = self.filled();
        filled
            .find(|(name, _)| *name == column)
            .map(|(_, text)| text)
    }
}

impl<R: BufRead> Table<R> {
    /// Reads the header row. No row may have more than `longest` bytes. The header row must contain all `required`
    /// columns, and no column twice. Otherwise the error contains the line of the header row and all problems of the header
    /// row.
    pub fn open(input: R, required: &[&str], longest: usize) -> Result<Self, (usize, Vec<Fault>)> {
        let mut records = Records::new(input, longest);
        let (line, columns) = header(&mut records)?;
        let problems = header_faults(&columns, required);
        if problems.is_empty() {
            Ok(Self {
                records,
                columns,
                rows: 0,
                is_broken: false,
                longest,
            })
        } else {
            Err((line, problems))
        }
    }

    /// The names of the columns; an empty column has an empty name.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next row that is not empty.
    pub fn next_row(&mut self) -> Option<Row<'_>> {
        let record = loop {
            let record = self.records.next().filter(|_| !self.is_broken)?;
            if !is_empty(&record) {
                break record;
            }
        };
        self.rows += 1;
        self.is_broken = record.is_broken();
        let Record { line, cells } = record;
        let cells = cells.map_err(|broken| {
            if broken == Broken::TooLong {
                let message = format!("must have at most {} bytes", self.longest);
                return Fault::whole(TOO_LARGE, message);
            }
            let message = format!(
                "the row that begins in line {line} {broken}: the file cannot be read from there on"
            );
            Fault::whole("broken_quotes", message)
        });
        Some(Row {
            number: self.rows,
            line,
            cells: cells.and_then(|cells| cells_of(&self.columns, cells)),
            is_broken: self.is_broken,
        })
    }
}

/// Reads the first record that is not empty.
fn header<R: BufRead>(
    records: &mut Records<R>,
) -> Result<(usize, Vec<String>), (usize, Vec<Fault>)> {
    while let Some(record) = records.next() {
        if is_empty(&record) {
            continue;
        }
        let line = record.line;
        let cells = record.cells.map_err(|broken| {
            let message = format!("the header row, which begins in line {line}, {broken}");
            let code = if broken == Broken::TooLong {
                TOO_LARGE
            } else {
                "broken_quotes"
            };
            (line, vec![Fault::whole(code, message)])
        })?;
        let cells = cells.into_iter().map(String::from_utf8);
        let columns = cells.collect::<Result<Vec<_>, _>>().or(Err((
            line,
            vec![Fault::whole(
                "broken_csv",
                "must be CSV in UTF-8, with a header row",
            )],
        )))?;
        // A name that consists of blanks looks empty, so it counts as empty.
        let columns = columns.into_iter().map(|name| match name.trim() {
            "" => String::new(),
            _ => name,
        });
        return Ok((line, columns.collect()));
    }
    Ok((1, Vec::new()))
}

fn is_empty(record: &Record) -> bool {
    let is_blank =
        |cell: &Vec<u8>| std::str::from_utf8(cell).is_ok_and(|text| text.trim().is_empty());
    record
        .cells
        .as_ref()
        .is_ok_and(|cells| cells.iter().all(is_blank))
}

fn header_faults(columns: &[String], required: &[&str]) -> Vec<Fault> {
    if let Some(fault) = format_fault(columns) {
        return vec![fault];
    }
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    let of_column = |column: &str, code, message: &str| Fault {
        column: Some(column.to_owned()),
        ..Fault::whole(code, message)
    };
    for name in columns.iter().filter(|name| !name.is_empty()) {
        if !seen.insert(name.as_str()) {
            let message = "occurs more than once in the header row";
            faults.push(of_column(name, "repeated_field", message));
        }
    }
    for name in required.iter().filter(|name| !seen.contains(**name)) {
        let message = "must be a column of the header row";
        faults.push(of_column(name, "required", message));
    }
    faults
}

/// Returns a problem if the header row shows that the file as a whole has a wrong format.
fn format_fault(columns: &[String]) -> Option<Fault> {
    let first = columns.first()?;
    if first.to_ascii_lowercase().starts_with("sep=") {
        let message = "must begin with the header row, without a line sep=, and its separator must be the comma";
        return Some(Fault::whole("wrong_separator", message));
    }
    // These characters are a UTF-8 byte order mark that a program has read in a character set of Windows.
    if first.starts_with("\u{ef}\u{bb}\u{bf}") {
        let message =
            "was opened and saved in another character set than UTF-8, which destroyed its letters";
        return Some(Fault::whole("wrong_character_set", message));
    }
    let separators = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
    let (_, name) = separators
        .into_iter()
        .find(|(separator, _)| columns.iter().any(|column| column.contains(*separator)))?;
    let message = format!(
        "must have commas between its cells; the header row has {name}: save the file as CSV with the comma as its separator"
    );
    Some(Fault::whole("wrong_separator", message))
}

fn cells_of(columns: &[String], cells: Vec<Vec<u8>>) -> Result<Cells<'_>, Fault> {
    let texts = cells.into_iter().map(String::from_utf8);
    let texts: Vec<String> = texts
        .collect::<Result<_, _>>()
        .or(Err(Fault::whole("not_utf8", "must be UTF-8")))?;
    let is_filled = |text: &String| !text.trim().is_empty();
    let beyond = texts.get(columns.len()..).unwrap_or_default();
    if texts.len() < columns.len() || beyond.iter().any(is_filled) {
        let (cells, columns) = (texts.len(), columns.len());
        let message = format!("has {cells} cells where the header row has {columns}");
        return Err(Fault::whole("wrong_length", message));
    }
    let nameless = columns.iter().zip(&texts);
    if nameless
        .filter(|(name, _)| name.is_empty())
        .any(|(_, text)| is_filled(text))
    {
        let message = "has a cell in a column that has no name in the header row";
        return Err(Fault::whole("nameless_column", message));
    }
    Ok(Cells { columns, texts })
}

#[cfg(test)]
mod tests;
