//! Exports a month of the archive to a file, before the month is dropped: one operation in each line, as JSON, compressed by
//! zstd.

use std::{
    fs::{self, DirEntry, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::NaiveDate;
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::store::{StoreError, patience::WithTimeout, pool::Transaction};

const ACTION: &str = "export a month of the archive";

/// How many operations are read and written at once.
const CHUNK: i64 = 200;
/// What the name of a file begins with that is being written.
const UNFINISHED: &str = ".export-";
/// The age from which such a file is a leftover of a process that died. One that is being written is changed all the time.
const LEFT_AFTER: Duration = Duration::from_hours(24);

/// The ids of a month: from the first one, and below the second one.
struct Ids(Uuid, Uuid);

/// A file that is being written. It gets its name when all of it is on the disk; if this is dropped before, it is removed.
struct Export(zstd::Encoder<'static, NamedTempFile>);

/// A file with a whole month, on the disk and under its name.
pub(super) struct ExportedMonth(PathBuf);

/// Writes all operations of a month into a new file in this folder. The caller's transaction keeps others from archiving more
/// of them.
pub(super) async fn export(
    transaction: &mut Transaction,
    month: NaiveDate,
    folder: &Path,
) -> Result<ExportedMonth, StoreError> {
    // Planned for the ids of the month, the statements lock no other month. The disk may need minutes for a large file.
    let setting = transaction.execute(
        "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL idle_in_transaction_session_timeout = '15min'",
    );
    setting.or_fail_to(ACTION).await?;
    let ids = ids_of(transaction, month).await?;
    let new_file_in = folder.to_owned();
    let mut export = on_disk(move || Export::begin(&new_file_in)).await?;
    let mut after = Uuid::nil();
    let mut count = 0;
    loop {
        let lines = lines(transaction, &ids, after).await?;
        let Some((last, _)) = lines.last() else { break };
        after = *last;
        count += lines.len();
        export = on_disk(move || export.write(lines)).await?;
    }
    let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
        .fetch_one(&mut **transaction)
        .or_fail_to(ACTION)
        .await?;
    let name = format!(
        "operations-{}-exported-{}.ndjson.zst",
        month.format("%Y-%m"),
        now.format("%Y%m%dT%H%M%SZ")
    );
    let path = folder.join(&name);
    let exported = on_disk(move || export.end(path)).await?;
    tracing::info!(%month, file = name, operations = count, "a month of the archive was exported");
    Ok(exported)
}

impl Export {
    fn begin(folder: &Path) -> io::Result<Self> {
        remove_leftovers(folder)?;
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(folder)?;
        let mut encoder = zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self(encoder))
    }

    fn write(mut self, lines: Vec<(Uuid, String)>) -> io::Result<Self> {
        for (_, line) in lines {
            writeln!(self.0, "{line}")?;
        }
        Ok(self)
    }

    /// Waits until everything is on the disk, also the name. An existing file is not replaced.
    fn end(self, path: PathBuf) -> io::Result<ExportedMonth> {
        let file = self.0.finish()?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&path)?;
        let exported = ExportedMonth(path);
        exported.write_name().inspect_err(|_| remove(&exported.0))?;
        Ok(exported)
    }
}

impl ExportedMonth {
    /// Waits until the name is on the disk.
    fn write_name(&self) -> io::Result<()> {
        let folder = self.0.parent().unwrap_or(&self.0);
        File::open(folder)?.sync_all()
    }

    /// Removes the file, because its month was not dropped.
    pub(super) async fn remove(self) {
        spawn_blocking(move || remove(&self.0)).await.ok();
    }
}

/// Removes the files that processes which died have left unfinished.
fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) && is_left(&entry) {
            remove(&entry.path());
        }
    }
    Ok(())
}

fn is_left(entry: &DirEntry) -> bool {
    let changed = entry.metadata().and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > LEFT_AFTER))
}

/// Removes a file that is of no use. If it stays, nothing is lost.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(file = ?path.file_name(), %error, "a file that is of no use could not be removed");
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

async fn ids_of(transaction: &mut Transaction, month: NaiveDate) -> Result<Ids, StoreError> {
    sqlx::query!(
        r#"SELECT first_id($1::date::timestamp AT TIME ZONE 'UTC') AS "from!",
                  first_id(($1::date + interval '1 month') AT TIME ZONE 'UTC') AS "below!""#,
        month
    )
    .fetch_one(&mut **transaction)
    .or_fail_to(ACTION)
    .await
    .map(|row| Ids(row.from, row.below))
}

/// The next operations of a month, in the order of their ids, each in a line of JSON: its rows as they are, and what was sent
/// and answered word for word.
async fn lines(
    transaction: &mut Transaction,
    Ids(from, below): &Ids,
    after: Uuid,
) -> Result<Vec<(Uuid, String)>, StoreError> {
    // JSON is stored as it was sent, and may have line breaks. They are only between its tokens.
    let rows = sqlx::query!(
        r#"SELECT o.id AS "id!",
                  translate(json_build_object(
                      'operation', row_to_json(o),
                      'payload', (SELECT row_to_json(p) FROM archived_payload p
                                   WHERE p.operation_id = o.id AND p.operation_id >= $1 AND p.operation_id < $2),
                      'attempts', (SELECT COALESCE(json_agg(a ORDER BY a.number), '[]') FROM archived_attempt a
                                    WHERE a.operation_id = o.id AND a.operation_id >= $1 AND a.operation_id < $2),
                      'result', (SELECT row_to_json(r) FROM archived_result r
                                  WHERE r.operation_id = o.id AND r.operation_id >= $1 AND r.operation_id < $2)
                  )::text, E'\r\n', '  ') AS "line!"
             FROM archived_operation o
            WHERE o.id >= $1 AND o.id < $2 AND o.id > $3
            ORDER BY o.id
            LIMIT $4"#,
        from,
        below,
        after,
        CHUNK
    )
    .fetch_all(&mut **transaction)
    .or_fail_to(ACTION)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.line)).collect())
}
