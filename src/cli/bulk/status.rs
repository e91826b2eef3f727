//! `bulk status`.

use std::path::PathBuf;

use serde_json::json;

use super::{Connection, connection::Caller, source::Source, submit::report};

/// The arguments of `bulk status`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    caller: Caller,
    /// The name of the batch.
    #[arg(long)]
    reference_id: String,
    /// The file that was sent: its failed rows are written out, as CSV.
    file: Option<PathBuf>,
    /// Where; beside the file unless something else is said.
    #[arg(long, requires = "file")]
    failed: Option<PathBuf>,
}

/// Says where the batch stands. Whether every row has succeeded.
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
