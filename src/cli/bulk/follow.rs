//! Waits until a batch has ended.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::connection::{Connection, Status};

/// The pause between two requests.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long the gateway may be unavailable before `follow` gives up. A restart of the gateway takes less time.
const MAX_OUTAGE: Duration = Duration::from_mins(1);

/// Shows the progress of a batch until it has ended, and returns its final status.
pub(super) async fn follow(connection: &Connection, reference_id: &str) -> anyhow::Result<Status> {
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len}  {msg}  {elapsed}",
    )?);
    let mut last_answer_at = Instant::now();
    loop {
        match connection.status(reference_id, json!(null), 1, 1).await {
            Ok(status) => {
                last_answer_at = Instant::now();
                let summary = &status.summary;
                bar.set_length(summary.total);
                bar.set_position(summary.completed + summary.failed + summary.archived);
                bar.set_message(format!("{} failed", summary.failed));
                if status.has_ended() {
                    bar.finish_and_clear();
                    return Ok(status);
                }
            }
            Err(error) if last_answer_at.elapsed() > MAX_OUTAGE => return Err(error),
            Err(error) => bar.set_message(format!("{error}; trying again")),
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
