//! `wait`: waits until an operation has ended.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use reqwest::Method;

use super::{
    caller::Caller,
    connection::{Connection, parse},
    patience::{Patience, pace},
    print::Printer,
    track::{Tracked, path},
};

/// How long one request waits. Many proxies end a request after 30 or 60 seconds.
const STEP: Duration = Duration::from_secs(25);

/// The arguments of `wait`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    caller: Caller,
    /// Give the tracking id of the operation.
    id: String,
    /// Wait for at most this number of seconds; without it, until the operation has ended.
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u32>,
    /// Print the gateway's last answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Waits. The exit code shows how the operation ended.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments {
        caller,
        id,
        seconds,
        json,
    } = arguments;
    wait(&caller.connect()?, &id, seconds, json).await
}

/// Waits until the operation has ended or the time has passed, and prints what the gateway then tells of it. The exit
/// code shows how it ended.
pub(super) async fn wait(
    connection: &Connection,
    id: &str,
    seconds: Option<u32>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let deadline = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
    let mut patience = Patience::default();
    loop {
        let asked_at = Instant::now();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(asked_at));
        let step = left.unwrap_or(STEP).min(STEP);
        // The wait is rounded up, so that the last answer comes after the deadline.
        let step = step.as_millis().div_ceil(1000);
        let request = connection.request(Method::GET, &path(id));
        let answered = connection.answer(request.header("Prefer", format!("wait={step}")));
        match answered.await {
            Ok(body) => {
                patience.answered();
                let tracked: Tracked = parse(&body)?;
                if tracked.has_ended()
                    || deadline.is_some_and(|deadline| deadline <= Instant::now())
                {
                    let mut printer = Printer::default();
                    if json {
                        printer.line(&body)?;
                    } else {
                        tracked.print(&mut printer)?;
                    }
                    return Ok(tracked.exit_code());
                }
                pace(asked_at).await;
            }
            Err(error) => patience.pause_after(error).await?,
        }
    }
}
