//! `ops repair`: shows the newest repairs or one repair, or stops a repair.

use std::io;

use serde::Deserialize;
use serde_json::json;

use super::gateway::Gateway;
use crate::cli::{
    connection::{parse, segment},
    print::Printer,
};

/// The arguments of `ops repair`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    gateway: Gateway,
    /// Give the id of a repair; without it, the newest repairs are listed.
    id: Option<String>,
    /// Stop the repair; what it has done stays done.
    #[arg(long, requires = "id", requires = "reason")]
    stop: bool,
    /// Give the reason, for the audit; it must not contain personal data.
    #[arg(long)]
    reason: Option<String>,
    /// Print the gateway's answer as JSON.
    #[arg(long)]
    json: bool,
}

/// A repair, and the operations on which it did not act.
#[derive(Debug, Deserialize)]
pub(super) struct Progress {
    pub(super) id: String,
    state: String,
    action: String,
    pub(super) total: u64,
    done: u64,
    changed: u64,
    refused: u64,
    pub(super) left: u64,
    /// Only a list of repairs omits this field.
    #[serde(default)]
    not_done: Vec<NotDone>,
}

#[derive(Debug, Deserialize)]
struct NotDone {
    tracking_id: String,
    outcome: String,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Repairs {
    repairs: Vec<Progress>,
}

impl Progress {
    /// Whether the repair is done or stopped.
    pub(super) fn has_ended(&self) -> bool {
        self.state != "running"
    }

    /// Whether the action was carried out on every operation.
    pub(super) fn is_complete(&self) -> bool {
        self.done == self.total
    }

    /// Prints the numbers in one line, and below them the operations on which the repair did not act.
    pub(super) fn print(&self, printer: &mut Printer) -> io::Result<()> {
        let Self {
            id,
            state,
            action,
            total,
            done,
            changed,
            refused,
            left,
            not_done,
        } = self;
        printer.line(&format!(
            "{id}  {action} {state}: {done} of {total} done, {changed} changed meanwhile, {refused} refused, {left} left"
        ))?;
        for NotDone {
            tracking_id,
            outcome,
            message,
        } in not_done
        {
            let message = message.as_deref().unwrap_or_default();
            printer.line(&format!("  {tracking_id}  {outcome}  {message}"))?;
        }
        Ok(())
    }
}

/// Prints one repair, or the newest repairs.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let connection = arguments.gateway.connect()?;
    let mut printer = Printer::default();
    let body = match &arguments.id {
        None => connection.get("fineract/repairs", &[]).await?,
        Some(id) if arguments.stop => {
            let path = format!("fineract/repairs/{}/stop", segment(id));
            let reason = json!({"reason": arguments.reason});
            connection.post(&path, &reason).await?
        }
        Some(id) => {
            connection
                .get(&format!("fineract/repairs/{}", segment(id)), &[])
                .await?
        }
    };
    if arguments.json {
        printer.line(&body)?;
        return Ok(true);
    }
    let repairs = if arguments.id.is_some() {
        vec![parse::<Progress>(&body)?]
    } else {
        parse::<Repairs>(&body)?.repairs
    };
    for repair in repairs {
        repair.print(&mut printer)?;
    }
    Ok(true)
}
