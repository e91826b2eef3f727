//! `track`: shows what has become of operations.

use std::{io, process::ExitCode};

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{
    caller::Caller,
    connection::{parse, segment},
    print::Printer,
};

/// The exit code of a command that has waited for an operation in vain: it still runs.
const STILL_RUNNING: u8 = 3;

/// The arguments of `track`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    caller: Caller,
    /// Give the tracking ids of the operations; a failure that is shown counts as read.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Print the gateway's answer as JSON.
    #[arg(long)]
    json: bool,
}

/// What the gateway tells of an operation.
#[derive(Debug, Deserialize)]
pub(super) struct Tracked {
    pub(super) tracking_id: String,
    status: String,
    failure_response: Option<Box<RawValue>>,
    error_message: Option<String>,
}

/// What the gateway tells of many operations.
#[derive(Deserialize)]
struct Many {
    operations: Vec<Tracked>,
    unknown: Vec<String>,
}

/// Shows one operation, or many with one request. The exit code is 1 if one of many is unknown.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { caller, ids, json } = arguments;
    let connection = caller.connect()?;
    let mut printer = Printer::default();
    if let [id] = ids.as_slice() {
        let body = connection.get(&path(id), &[]).await?;
        if json {
            printer.line(&body)?;
        } else {
            parse::<Tracked>(&body)?.print(&mut printer)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let body = connection
        .post("fineract/track", &json!({ "tracking_ids": ids }))
        .await?;
    let Many {
        operations,
        unknown,
    } = parse(&body)?;
    if json {
        printer.line(&body)?;
    } else {
        for operation in operations {
            operation.print(&mut printer)?;
        }
        for id in &unknown {
            printer.line(&format!("{id}  unknown"))?;
        }
    }
    Ok(if unknown.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The path of an operation.
pub(super) fn path(id: &str) -> String {
    format!("fineract/track/{}", segment(id))
}

impl Tracked {
    /// Whether the operation has succeeded or failed.
    pub(super) fn has_ended(&self) -> bool {
        self.status != "processing"
    }

    /// The exit code of a command that has waited for the operation.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self.status.as_str() {
            "success" => ExitCode::SUCCESS,
            "processing" => ExitCode::from(STILL_RUNNING),
            _ => ExitCode::FAILURE,
        }
    }

    /// Prints the status in one line, and below it what Fineract has answered to an operation that has failed.
    pub(super) fn print(&self, printer: &mut Printer) -> io::Result<()> {
        let Self {
            tracking_id,
            status,
            failure_response,
            error_message,
        } = self;
        let message = error_message.as_ref();
        let message = message.map_or_else(String::new, |message| format!("  {message}"));
        printer.line(&format!("{tracking_id}  {status}{message}"))?;
        match failure_response {
            Some(response) => printer.line(&format!("  {}", response.get())),
            None => Ok(()),
        }
    }
}
