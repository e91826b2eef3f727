//! Writes the failed rows of a batch to a CSV file, which can be corrected and sent with `bulk retry`.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::Context as _;
use serde_json::json;

use super::{
    connection::{Connection, Record},
    source::{Row, Source},
};

/// The number of rows that one request reads.
const PAGE: u32 = 1_000;
/// The permissions of the file.
const OWNER_ONLY: u32 = 0o600;
/// The columns after the columns of the payload. They show why the row failed. The gateway ignores them when the
/// corrected file is sent.
const REASON_COLUMNS: [&str; 3] = ["error_code", "error_message", "retry_eligible"];

/// Writes the failed rows of a batch as CSV and returns their number.
pub(super) async fn write(
    connection: &Connection,
    reference_id: &str,
    source: &Source,
    path: &Path,
) -> anyhow::Result<usize> {
    let failed = read(connection, reference_id).await?;
    let rows = source.rows()?;
    let cells = |record: &Record| rows.get(record.id - 1);
    let mut names: Vec<&str> = vec!["status"];
    for (name, _) in failed.iter().filter_map(cells).flatten() {
        if !names.contains(&name.as_str())
            && name != "id"
            && !REASON_COLUMNS.contains(&name.as_str())
        {
            names.push(name);
        }
    }
    let write_error = || format!("cannot write {}", path.display());
    let mut file = create_private(path).with_context(write_error)?;
    // Without a byte order mark, spreadsheets assume a local character set.
    file.write_all("\u{feff}".as_bytes())
        .with_context(write_error)?;
    let mut table = csv::Writer::from_writer(file);
    table.write_record(
        ["id"]
            .into_iter()
            .chain(names.iter().copied())
            .chain(REASON_COLUMNS),
    )?;
    for record in &failed {
        let id = record.id.to_string();
        let row = cells(record);
        let texts = names
            .iter()
            .map(|name| row.map_or("", |row| text_of(row, name)));
        let reason = record
            .error
            .as_ref()
            .map_or(["", ""], |error| [&error.code, &error.message]);
        let eligible = record.retry_eligible.as_deref().unwrap_or_default();
        let line = std::iter::once(id.as_str())
            .chain(texts)
            .chain(reason)
            .chain([eligible]);
        table.write_record(line)?;
    }
    table.flush().with_context(write_error)?;
    Ok(failed.len())
}

/// Creates or replaces a file that only its owner can read, because it has people's data.
fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(OWNER_ONLY)
        .open(path)?;
    // A file that was there before keeps its permissions otherwise.
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    Ok(file)
}

fn text_of<'a>(row: &'a Row, name: &str) -> &'a str {
    row.iter()
        .find(|(known, _)| known == name)
        .map_or("", |(_, text)| text)
}

async fn read(connection: &Connection, reference_id: &str) -> anyhow::Result<Vec<Record>> {
    let mut failed = Vec::new();
    for page in 1.. {
        let filters = json!({ "status": ["FAILED"] });
        let status = connection.status(reference_id, filters, page, PAGE).await?;
        failed.extend(status.records);
        if !status.pagination.has_next {
            break;
        }
    }
    Ok(failed)
}
