//! An action on all operations that match a filter: a repair, first as a preview, then with the number of operations that
//! the operator expects.

use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{filter::Filter, list::Listed, repair::Progress};
use crate::{
    cli::{
        connection::{Connection, parse},
        print::Printer,
    },
    store::RepairAction,
};

/// The pause between two requests for the progress.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What the operator asks for.
#[derive(Debug)]
pub(super) struct Repair {
    pub(super) action: RepairAction,
    pub(super) filter: Filter,
    pub(super) reason: String,
    /// The other fields of the action: a JSON object.
    pub(super) options: Value,
    /// How many operations the operator expects.
    pub(super) expected: Option<usize>,
}

/// What a repair would do.
#[derive(Deserialize)]
struct Preview {
    matches: usize,
    sample: Vec<Listed>,
    left_out: Vec<LeftOut>,
}

/// Operations that match the filter, and which the repair does not touch.
#[derive(Deserialize)]
struct LeftOut {
    why: String,
    count: usize,
}

impl Repair {
    fn body(&self, expected: Option<usize>) -> Value {
        let mut body = self.options.clone();
        if let Some(body) = body.as_object_mut() {
            body.insert("action".to_owned(), self.action.as_str().into());
            body.insert("filter".to_owned(), self.filter.json());
            body.insert("reason".to_owned(), self.reason.clone().into());
            body.insert("dry_run".to_owned(), expected.is_none().into());
            body.extend(expected.map(|expected| ("expected".to_owned(), json!(expected))));
            // Only a resolution has this field.
            if body.get("nothing_waits") == Some(&Value::Bool(false)) {
                body.remove("nothing_waits");
            }
        }
        body
    }
}

/// Shows the preview, or starts the repair and waits until it has ended. Returns whether the action was carried out on
/// every operation.
pub(super) async fn run(
    connection: &Connection,
    repair: Repair,
    is_dry_run: bool,
    json: bool,
) -> anyhow::Result<bool> {
    let mut printer = Printer::default();
    if is_dry_run {
        let body = connection
            .post("fineract/repairs", &repair.body(None))
            .await?;
        if json {
            printer.line(&body)?;
        } else {
            print_preview(&mut printer, parse(&body)?)?;
        }
        return Ok(true);
    }
    let Some(expected) = repair.expected else {
        bail!(
            "look at the operations with --dry-run first, and then give their number with --expected"
        );
    };
    let body = connection
        .post("fineract/repairs", &repair.body(Some(expected)))
        .await?;
    let body = follow(connection, body).await?;
    let progress: Progress = parse(&body)?;
    if json {
        printer.line(&body)?;
    } else {
        progress.print(&mut printer)?;
    }
    Ok(progress.is_complete())
}

fn print_preview(printer: &mut Printer, preview: Preview) -> std::io::Result<()> {
    printer.line(&format!("{} operations match", preview.matches))?;
    for operation in &preview.sample {
        printer.line(&format!("  {}", operation.line()))?;
    }
    for LeftOut { why, count } in preview.left_out {
        printer.line(&format!("{count} are left out: {why}"))?;
    }
    Ok(())
}

/// Shows the progress of a repair until it has ended, and returns the gateway's last answer. If this command is
/// interrupted, the repair goes on.
async fn follow(connection: &Connection, started: String) -> anyhow::Result<String> {
    let mut body = started;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len}  {msg}  {elapsed}",
    )?);
    loop {
        let progress: Progress = parse(&body)?;
        bar.set_length(progress.total);
        bar.set_position(progress.total - progress.left);
        bar.set_message(format!("repair {}", progress.id));
        if progress.has_ended() {
            bar.finish_and_clear();
            return Ok(body);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
        body = connection
            .get(&format!("fineract/repairs/{}", progress.id), &[])
            .await?;
    }
}
