//! Measures how much memory many long polls cost the gateway, and how soon after the end of its operation each poll is
//! answered.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use chrono::NaiveDateTime;
use reqwest::Client;
use serde::Deserialize;
use tokio::{task::JoinSet, time::sleep};

use super::{
    Scale,
    bed::{Bed, CLIENTS, TOKEN},
    figures::{Milli, quantile},
    process::raise_file_limit,
    table::Row,
};
use crate::load::Mix;
use fineract_gateway::domain::TrackingId;

/// The number of polls that begin at the same time. More polls would overflow the queue of new connections.
const BEGUN_AT_ONCE: usize = 200;
/// The number of operations that are released together, and the pause between two releases. Both are chosen so that the
/// gateway is far from fully loaded.
const RELEASED_AT_ONCE: i64 = 25;
const RELEASED_EVERY: Duration = Duration::from_millis(100);
/// How long to wait until all polls have arrived at the gateway.
const ARRIVAL: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
struct Tracked {
    status: String,
    processed_at: Option<String>,
}

/// Lets callers wait for operations that are on hold, and then releases the operations.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    raise_file_limit()?;
    let waiting = scale.size(10_000, 500);
    let mut bed = Bed::make("polls").await?;
    let api = bed.start_gateway("api", "postgres").await?;
    let mut plan = bed.plan(Mix::Clients, Duration::from_mins(10))?;
    plan.borrowers = Some(waiting / CLIENTS + 1);
    Bed::drive(&plan).await?;
    bed.queue.hold_all().await?;
    bed.kill(api).await?;
    let gateway = bed.start_gateway("all", "postgres").await?;
    let url = bed.url(gateway)?;
    let before = bed.memory(gateway).await?.now;
    let mut polls = JoinSet::new();
    for (number, id) in bed
        .queue
        .draw(100.0, i64::try_from(waiting)?)
        .await?
        .into_iter()
        .enumerate()
    {
        polls.spawn(poll(bed.http.clone(), url.clone(), id));
        if number % BEGUN_AT_ONCE == 0 {
            sleep(Duration::from_millis(50)).await;
        }
    }
    sleep(ARRIVAL).await;
    let then = bed.memory(gateway).await?.now;
    while bed.queue.release(RELEASED_AT_ONCE).await? > 0 {
        sleep(RELEASED_EVERY).await;
    }
    let mut micros = Vec::with_capacity(waiting);
    while let Some(woken) = polls.join_next().await {
        micros.push(woken.context("a poll panicked")??);
    }
    let peak = bed.memory(gateway).await?.peak;
    bed.clear().await?;
    let what = format!(
        "{} waiting long polls",
        Milli::whole(u64::try_from(waiting)?)
    );
    let wake_up = Milli(quantile(&mut micros, 990));
    Ok(vec![
        Row::at_most(
            &format!("{what}: memory of the gateway"),
            &Milli(then).into(),
            " MB",
            Milli::whole(200),
        )
        .note(&format!(
            "{} before, {} at the peak",
            Milli(before),
            Milli(peak)
        )),
        Row::at_most(
            &format!("{what}: p99 of the wake-up, from the end's transaction to the caller"),
            &wake_up.into(),
            " ms",
            Milli::whole(50),
        )
        .note(&format!("p50 {} ms", Milli(quantile(&mut micros, 500)))),
    ])
}

/// Waits for the end of an operation. Returns how long after the end the caller received the result, in microseconds.
async fn poll(http: Client, url: String, id: TrackingId) -> anyhow::Result<u64> {
    loop {
        let tracked: Tracked = http
            .get(format!("{url}/fineract/track/{id}"))
            .header("X-Internal-Token", TOKEN)
            .header("Prefer", "wait=50")
            .send()
            .await
            .context("the gateway does not answer")?
            .error_for_status()?
            .json()
            .await?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let Some(ended_at) = tracked.processed_at else {
            continue;
        };
        anyhow::ensure!(tracked.status == "success", "{id} has not succeeded");
        let ended_at = NaiveDateTime::parse_from_str(&ended_at, "%Y-%m-%dT%H:%M:%S%.f")?;
        let ended_at = u64::try_from(ended_at.and_utc().timestamp_micros())?;
        return Ok(u64::try_from(now.as_micros())?.saturating_sub(ended_at));
    }
}
