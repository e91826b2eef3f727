//! Exports a month of the archive to a file, before the month is dropped: one operation in each line, as JSON, compressed by
//! zstd.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use chrono::NaiveDate;
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{Retention, RetentionReport};
use crate::store::{StoreError, patience::WithTimeout, pool::Transaction};

/// How many operations are read and written at once.
const CHUNK: i64 = 500;

/// A file that is being written. It gets its name when all of it is on the disk; if this is dropped before, it is removed.
struct Export(zstd::Encoder<'static, NamedTempFile>);

impl Retention {
    /// Writes all operations of a month into a new file in this folder. The caller's transaction keeps others from archiving
    /// more of them.
    pub(super) async fn export(
        &self,
        transaction: &mut Transaction,
        month: NaiveDate,
        folder: &Path,
        report: &RetentionReport,
    ) -> Result<(), StoreError> {
        let new_file_in = folder.to_owned();
        let mut export = on_disk(move || Export::begin(&new_file_in)).await?;
        let mut after = None;
        let mut count = 0;
        loop {
            let lines = lines(transaction, month, after).await?;
            let Some((last, _)) = lines.last() else { break };
            after = Some(*last);
            count += lines.len();
            export = on_disk(move || export.write(lines)).await?;
            // A long export is still the run of this process.
            self.record(report).await?;
        }
        let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
            .fetch_one(&mut **transaction)
            .or_fail_to("read the time")
            .await?;
        let name = format!(
            "operations-{}-exported-{}.ndjson.zst",
            month.format("%Y-%m"),
            now.format("%Y%m%dT%H%M%SZ")
        );
        let path = folder.join(&name);
        on_disk(move || export.end(&path)).await?;
        tracing::info!(%month, file = name, operations = count, "a month of the archive was exported");
        Ok(())
    }
}

impl Export {
    fn begin(folder: &Path) -> io::Result<Self> {
        let file = tempfile::Builder::new()
            .prefix(".export-")
            .tempfile_in(folder)?;
        let mut encoder = zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self(encoder))
    }

    fn write(mut self, lines: Vec<(Uuid, String)>) -> io::Result<Self> {
        for (_, line) in lines {
            writeln!(self.0, "{line}")?;
        }
        // Else the end of a large file could take longer than Postgres waits for the next statement of the transaction.
        self.0.get_ref().as_file().sync_data()?;
        Ok(self)
    }

    /// Waits until everything is on the disk, also the name. An existing file is not replaced.
    fn end(self, path: &Path) -> io::Result<()> {
        let file = self.0.finish()?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        let folder = path.parent().unwrap_or(path);
        File::open(folder)?.sync_all()
    }
}

/// Does work that waits for the disk, on a thread that may wait.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|failed| Err(failed.into()))
        .map_err(StoreError::Export)
}

/// The next operations of a month, in the order of their ids, each in a line of JSON: its rows as they are, and what was sent
/// and answered word for word.
async fn lines(
    transaction: &mut Transaction,
    month: NaiveDate,
    after: Option<Uuid>,
) -> Result<Vec<(Uuid, String)>, StoreError> {
    // JSON is stored as it was sent, and may have line breaks. They are only between its tokens.
    let rows = sqlx::query!(
        r#"SELECT o.id AS "id!",
                  translate(json_build_object(
                      'operation', row_to_json(o),
                      'payload', (SELECT row_to_json(p) FROM archived_payload p WHERE p.operation_id = o.id),
                      'attempts', (SELECT COALESCE(json_agg(a ORDER BY a.number), '[]')
                                     FROM archived_attempt a WHERE a.operation_id = o.id),
                      'result', (SELECT row_to_json(r) FROM archived_result r WHERE r.operation_id = o.id)
                  )::text, E'\r\n', '  ') AS "line!"
             FROM archived_operation o
            WHERE o.id >= first_id($1::date::timestamp AT TIME ZONE 'UTC')
              AND o.id < first_id(($1::date + interval '1 month') AT TIME ZONE 'UTC')
              AND o.id > COALESCE($2, '00000000-0000-0000-0000-000000000000'::uuid)
            ORDER BY o.id
            LIMIT $3"#,
        month,
        after,
        CHUNK
    )
    .fetch_all(&mut **transaction)
    .or_fail_to("read a month of the archive")
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.line)).collect())
}
