//! `bulk submit`: sends a file of operations as one batch.

use std::path::PathBuf;

use serde::de::IgnoredAny;

use super::{
    Connection,
    connection::{Caller, Status},
    failed_rows,
    follow::follow,
    source::Source,
};

/// The arguments of `bulk submit`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    caller: Caller,
    /// Send the operations in this file (.csv, .ndjson, .jsonl or .json).
    file: PathBuf,
    /// Give the batch a name; sending the same file under the same name again does not create a second batch.
    #[arg(long)]
    reference_id: String,
    /// Run the valid rows even if other rows are not valid.
    #[arg(long)]
    accept_valid: bool,
    /// Write the failed rows to this CSV file instead of a file beside the sent file.
    #[arg(long)]
    failed: Option<PathBuf>,
}

/// Sends the file, waits until all operations have ended, and writes the failed rows to a file. Returns whether all
/// rows have succeeded.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let Arguments {
        caller,
        file,
        reference_id,
        accept_valid,
        failed,
    } = arguments;
    let source = Source::read(&file)?;
    let connection = Connection::new(caller)?;
    let accept = if accept_valid { "valid" } else { "all" };
    let name = source.name();
    let query = source.query(&reference_id, &name, accept);
    let body = source.body(&reference_id, accept)?;
    let _: IgnoredAny = connection
        .post("schedule", &query, source.media_type(), body)
        .await?;
    let status = follow(&connection, &reference_id).await?;
    let failed = failed.unwrap_or_else(|| source.failed_path());
    report(&connection, &reference_id, &status, Some((&source, failed))).await
}

/// Prints the status of a batch and writes its failed rows to a file. Returns whether every row has succeeded.
pub(super) async fn report(
    connection: &Connection,
    reference_id: &str,
    status: &Status,
    failed: Option<(&Source, PathBuf)>,
) -> anyhow::Result<bool> {
    anstream::println!("{reference_id} {}", status.text());
    if let Some((source, path)) = failed
        && status.summary.failed > 0
    {
        let count = failed_rows::write(connection, reference_id, source, &path).await?;
        let path = path.display();
        anstream::println!(
            "{count} failed rows are in {path}. Correct them, then: fineract-gateway bulk retry {path} --reference-id {reference_id}"
        );
    }
    Ok(status.has_succeeded())
}
