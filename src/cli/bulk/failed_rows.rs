//! The failed rows of a batch, written so that they can be corrected and sent back with `bulk retry`.

use std::{fs::File, io::Write as _, path::Path};

use anyhow::Context as _;
use serde_json::json;

use super::{
    connection::{Connection, Record},
    source::{Row, Source},
};

/// Rows read at once.
const PAGE: u32 = 1_000;
/// The columns behind those of the payloads: they tell why, and are passed over when they come back.
const WHY: [&str; 3] = ["error_code", "error_message", "retry_eligible"];

/// Writes the failed rows of a batch as CSV; how many there are.
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
        if !names.contains(&name.as_str()) && name != "id" && !WHY.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let cannot_write = || format!("cannot write {}", path.display());
    let mut file = File::create(path).with_context(cannot_write)?;
    // Without it spreadsheets take a file for one in their own character set.
    file.write_all("\u{feff}".as_bytes())
        .with_context(cannot_write)?;
    let mut table = csv::Writer::from_writer(file);
    table.write_record(["id"].into_iter().chain(names.iter().copied()).chain(WHY))?;
    for record in &failed {
        let id = record.id.to_string();
        let row = cells(record);
        let texts = names
            .iter()
            .map(|name| row.map_or("", |row| text_of(row, name)));
        let reason_code = record
            .error
            .as_ref()
            .map_or(["", ""], |error| [&error.code, &error.message]);
        let eligible = record.retry_eligible.as_deref().unwrap_or_default();
        let line = std::iter::once(id.as_str())
            .chain(texts)
            .chain(reason_code)
            .chain([eligible]);
        table.write_record(line)?;
    }
    table.flush().with_context(cannot_write)?;
    Ok(failed.len())
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
