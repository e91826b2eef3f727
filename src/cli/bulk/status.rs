//! `bulk status`: shows the status of a batch.

use std::path::PathBuf;

use serde_json::json;

use super::{Connection, connection::Caller, source::Source, submit::report};

/// The arguments of `bulk status`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    caller: Caller,
    /// Give the name of the batch.
    #[arg(long)]
    reference_id: String,
    /// Give the file that was sent, so that its failed rows are written to a CSV file.
    file: Option<PathBuf>,
    /// Write the failed rows to this CSV file instead of a file beside the sent file.
    #[arg(long, requires = "file")]
    failed: Option<PathBuf>,
}

/// Prints the status of the batch. Returns whether every row has succeeded.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let source = arguments.file.as_deref().map(Source::read).transpose()?;
    let connection = Connection::new(arguments.caller)?;
    let status = connection
        .status(&arguments.reference_id, json!(null), 1, 1)
        .await?;
    let failed = source.as_ref().map(|source| {
        let path = arguments.failed.unwrap_or_else(|| source.failed_path());
        (source, path)
    });
    report(&connection, &arguments.reference_id, &status, failed).await
}
