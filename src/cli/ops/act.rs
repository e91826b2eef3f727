//! `ops retry`, `cancel`, `hold`, `release` and `resolve`: an action on operations that are named by their ids, or on all
//! operations that match a filter.

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    act_on_all::{self, Repair},
    filter::{self, Filter},
    gateway::Gateway,
    show::PossibleAction,
};
use crate::{
    cli::{
        connection::{Connection, parse, segment},
        print::Printer,
    },
    store::RepairAction,
};

/// The arguments that all actions have.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    gateway: Gateway,
    /// Give the tracking ids or UUIDs of the operations.
    #[arg(required_unless_present = "filters", conflicts_with = "filters")]
    ids: Vec<String>,
    /// Act on all operations that meet these conditions, such as `state=failed lender=UGRO`.
    #[arg(long = "where", value_name = "CONDITIONS", value_parser = filter::parse)]
    filters: Vec<Filter>,
    /// Give the reason, for the audit; it must not contain personal data.
    #[arg(long)]
    reason: String,
    /// Show what would be done, without doing anything.
    #[arg(long)]
    dry_run: bool,
    /// With --where: give the number of operations that the dry run showed; if more than 10 % more match, nothing is
    /// done.
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "filters",
        conflicts_with = "dry_run"
    )]
    expected: Option<usize>,
    /// Print the gateway's answers as JSON.
    #[arg(long)]
    json: bool,
}

/// The arguments of `ops retry`.
#[derive(Debug, clap::Args)]
pub(super) struct RetryArguments {
    #[command(flatten)]
    common: Arguments,
    /// Replace the time until which the operations may be sent (RFC 3339).
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

/// The arguments of `ops resolve`.
#[derive(Debug, clap::Args)]
pub(super) struct ResolveArguments {
    #[command(flatten)]
    common: Arguments,
    /// State how the operations ended.
    #[arg(long)]
    outcome: Outcome,
    /// State that no command of the operations waits for a checker in Fineract.
    #[arg(long)]
    nothing_waits: bool,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Outcome {
    Succeeded,
    Failed,
}

/// What an action did.
#[derive(Deserialize)]
struct Done {
    tracking_id: String,
    retry_of: Option<String>,
    status: String,
}

#[derive(Deserialize)]
struct Possible {
    actions: Vec<PossibleAction>,
}

/// Runs an action that needs nothing but a reason.
pub(super) async fn run(action: RepairAction, arguments: Arguments) -> anyhow::Result<bool> {
    act(action, arguments, json!({})).await
}

/// Runs `ops retry`.
pub(super) async fn retry(arguments: RetryArguments) -> anyhow::Result<bool> {
    let mut options = json!({});
    if let (Some(expires_at), Some(options)) = (arguments.expires_at, options.as_object_mut()) {
        options.insert("expires_at".to_owned(), expires_at.into());
    }
    act(RepairAction::Retry, arguments.common, options).await
}

/// Runs `ops resolve`.
pub(super) async fn resolve(arguments: ResolveArguments) -> anyhow::Result<bool> {
    let outcome = match arguments.outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
    };
    let options = json!({"outcome": outcome, "nothing_waits": arguments.nothing_waits});
    act(RepairAction::Resolve, arguments.common, options).await
}

/// Acts on the named operations one after the other, or on all that match. Returns whether the action was carried out
/// on each operation (in a dry run: whether it would be possible on each).
async fn act(action: RepairAction, arguments: Arguments, options: Value) -> anyhow::Result<bool> {
    let connection = arguments.gateway.connect()?;
    if !arguments.filters.is_empty() {
        let repair = Repair {
            action,
            filter: Filter::joined(&arguments.filters),
            reason: arguments.reason,
            options,
            expected: arguments.expected,
        };
        return act_on_all::run(&connection, repair, arguments.dry_run, arguments.json).await;
    }
    let mut printer = Printer::default();
    let mut all_done = true;
    for id in &arguments.ids {
        let acted = if arguments.dry_run {
            preview(&connection, action, id, arguments.json).await
        } else {
            let mut body = options.clone();
            if let Some(body) = body.as_object_mut() {
                body.insert("reason".to_owned(), arguments.reason.clone().into());
            }
            act_on_one(&connection, action, id, &body, arguments.json).await
        };
        let (is_done, line) = acted.unwrap_or_else(|error| {
            let line = if arguments.json {
                json!({"id": id, "error": error.to_string()}).to_string()
            } else {
                format!("{id}  {error:#}")
            };
            (false, line)
        });
        all_done &= is_done;
        printer.line(&line)?;
    }
    Ok(all_done)
}

async fn act_on_one(
    connection: &Connection,
    action: RepairAction,
    id: &str,
    body: &Value,
    json: bool,
) -> anyhow::Result<(bool, String)> {
    let path = format!("fineract/operations/{}/{}", segment(id), action.as_str());
    let answer = connection.post(&path, body).await?;
    let Done {
        tracking_id,
        retry_of,
        status,
    } = parse(&answer)?;
    if json {
        return Ok((true, answer));
    }
    let line = match retry_of {
        Some(retry_of) => format!("{retry_of}  runs again as {tracking_id}"),
        None => format!("{tracking_id}  {status}"),
    };
    Ok((true, line))
}

/// Shows whether the action is possible on an operation now.
async fn preview(
    connection: &Connection,
    action: RepairAction,
    id: &str,
    json: bool,
) -> anyhow::Result<(bool, String)> {
    let path = format!("fineract/operations/{}", segment(id));
    let Possible { actions } = parse(&connection.get(&path, &[]).await?)?;
    let possible = actions
        .into_iter()
        .find(|possible| possible.action == action.as_str());
    let is_possible = possible.as_ref().is_some_and(|possible| possible.possible);
    let text = possible.map_or_else(String::new, PossibleAction::text);
    let line = if json {
        json!({"id": id, "possible": is_possible, "message": text}).to_string()
    } else {
        format!("{id}  {text}")
    };
    Ok((is_possible, line))
}
