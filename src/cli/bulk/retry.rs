//! `bulk retry`: sends the failed rows of a batch again.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use super::{Connection, connection::Caller, follow::follow, submit::report};

/// The largest number of rows that are printed individually.
const MAX_PRINTED: usize = 50;

/// The arguments of `bulk retry`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    caller: Caller,
    /// Give the name of the batch.
    #[arg(long)]
    reference_id: String,
    /// Accept rows that name another client or loan than before.
    #[arg(long)]
    allow_other_ids: bool,
    /// Send the rows of the file that `bulk submit` has written and you have corrected; without a file, send all failed
    /// rows that may be sent again unchanged.
    file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Answer {
    taken: Vec<u64>,
    not_taken: Vec<NotTaken>,
}

#[derive(Deserialize)]
struct NotTaken {
    id: u64,
    code: String,
    message: String,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Deserialize)]
struct FieldError {
    pointer: String,
    message: String,
}

/// Sends the failed rows again and waits until they have ended. Returns whether every row has succeeded now.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let Arguments {
        caller,
        reference_id,
        allow_other_ids,
        file,
    } = arguments;
    let connection = Connection::new(caller)?;
    let answer: Answer = if let Some(file) = file {
        let table =
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let allowed = if allow_other_ids { "true" } else { "false" };
        let query = [
            ("reference_id", reference_id.as_str()),
            ("allow_other_ids", allowed),
        ];
        connection.post("retry", &query, "text/csv", table).await?
    } else {
        let body = json!({ "reference_id": reference_id }).to_string();
        let body = body.into_bytes();
        connection
            .post("retry", &[], "application/json", body)
            .await?
    };
    answer.print();
    let status = follow(&connection, &reference_id).await?;
    report(&connection, &reference_id, &status, None).await
}

impl Answer {
    fn print(&self) {
        let (taken, not_taken) = (self.taken.len(), self.not_taken.len());
        anstream::println!("{taken} rows are sent again, {not_taken} are not");
        for row in self.not_taken.iter().take(MAX_PRINTED) {
            let NotTaken {
                id,
                code,
                message,
                errors,
            } = row;
            anstream::println!("  record {id} {message} ({code})");
            for FieldError { pointer, message } in errors {
                anstream::println!("    {pointer} {message}");
            }
        }
        if not_taken > MAX_PRINTED {
            anstream::println!("  and {} more", not_taken - MAX_PRINTED);
        }
    }
}
