//! `ops list`: lists operations.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    filter::{self, Filter},
    gateway::Gateway,
};
use crate::cli::{connection::parse, print::Printer};

/// The largest page that the gateway gives.
const PAGE: usize = 1_000;

/// The arguments of `ops list`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    gateway: Gateway,
    /// List only operations that meet these conditions, such as `state=parked reason_code=key_unanswered`.
    #[arg(long = "where", value_name = "CONDITIONS", value_parser = filter::parse)]
    filters: Vec<Filter>,
    /// Set the order; the gateway's error names the possible orders.
    #[arg(long)]
    sort: Option<String>,
    /// List at most this number of operations.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Print each operation as a line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Page {
    operations: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// The fields of an operation that a line shows.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    tracking_id: String,
    state: String,
    #[serde(default)]
    on_hold: bool,
    reason_code: Option<String>,
    accepted_at: String,
    lane: String,
}

impl Listed {
    /// The operation as one line.
    pub(super) fn line(&self) -> String {
        let hold = if self.on_hold { " (on hold)" } else { "" };
        let state = format!("{}{hold}", self.state);
        format!(
            "{:<58}  {state:<9}  {:<28}  {}  {}",
            self.tracking_id,
            self.reason_code.as_deref().unwrap_or("-"),
            self.accepted_at.get(..19).unwrap_or(&self.accepted_at),
            self.lane,
        )
    }
}

/// Reads page after page until the limit or the end of the list, and prints each operation.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let connection = arguments.gateway.connect()?;
    let Filter(mut query) = Filter::joined(&arguments.filters);
    query.extend(arguments.sort.map(|sort| ("sort".to_owned(), sort)));
    let mut printer = Printer::default();
    let (mut left, mut cursor) = (arguments.limit, None);
    while left > 0 {
        let mut page_query = query.clone();
        page_query.push(("limit".to_owned(), left.min(PAGE).to_string()));
        page_query.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor)));
        let body = connection.get("fineract/operations", &page_query).await?;
        let page: Page = parse(&body)?;
        left = left.saturating_sub(page.operations.len());
        for operation in page.operations {
            let line = if arguments.json {
                operation.get().to_owned()
            } else {
                parse::<Listed>(operation.get())?.line()
            };
            printer.line(&line)?;
        }
        cursor = page.next_cursor;
        if cursor.is_none() || printer.is_closed() {
            return Ok(true);
        }
    }
    if !arguments.json {
        printer.line("there are more operations (--limit)")?;
    }
    Ok(true)
}
