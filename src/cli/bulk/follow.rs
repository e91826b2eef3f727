//! Waiting until a batch has ended.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::connection::{Connection, Status};

/// How often the gateway is asked.
const EVERY: Duration = Duration::from_millis(500);
/// How long the gateway may be away meanwhile: it may be restarted.
const PATIENCE: Duration = Duration::from_mins(1);

/// Shows how far a batch is until it has ended, and where it stands then.
pub(super) async fn follow(connection: &Connection, reference_id: &str) -> anyhow::Result<Status> {
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len}  {msg}  {elapsed}",
    )?);
    let mut heard = Instant::now();
    loop {
        match connection.status(reference_id, json!(null), 1, 1).await {
            Ok(status) => {
                heard = Instant::now();
                let summary = &status.summary;
                bar.set_length(summary.total);
                bar.set_position(summary.completed + summary.failed);
                bar.set_message(format!("{} failed", summary.failed));
                if status.has_ended() {
                    bar.finish_and_clear();
                    return Ok(status);
                }
            }
            Err(error) if heard.elapsed() > PATIENCE => return Err(error),
            Err(error) => bar.set_message(format!("{error}; trying again")),
        }
        tokio::time::sleep(EVERY).await;
    }
}
