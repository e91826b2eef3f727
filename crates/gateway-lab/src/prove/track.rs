//! What track says.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fastrand::Rng;
use reqwest::StatusCode;
use serde_json::Value;

use super::{
    judge::{Accepted, Standing},
    system::{System, TOKEN},
};
use fineract_gateway::domain::{Answer, TrackingId};

/// For how long an answer is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// What is waited before track is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// What track says of an operation.
pub(super) enum Tracked {
    /// `processing`.
    NotEnded,
    /// Nobody knows of it.
    Unknown,
    /// Its end, word for word.
    Ended(String),
}

/// Reads an end again, long after its round.
pub(super) async fn read_again(
    system: &System,
    operation: &mut Accepted,
    rng: &mut Rng,
) -> anyhow::Result<()> {
    let Some(id) = operation.tracking_ids.first() else {
        return Ok(());
    };
    let reading = match until_answered(system, *id, rng).await? {
        Tracked::Ended(reading) => reading,
        Tracked::NotEnded => "processing".to_owned(),
        Tracked::Unknown => "unknown".to_owned(),
    };
    operation.readings.push(reading);
    Ok(())
}

/// Asks gateways until one answers.
pub(super) async fn until_answered(
    system: &System,
    id: TrackingId,
    rng: &mut Rng,
) -> anyhow::Result<Tracked> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match track(system, id, rng).await {
            Ok(tracked) => return Ok(tracked),
            Err(error) => tracing::debug!(%error, %id, "not tracked; asked again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("track never answered about {id}")
}

/// Asks any gateway, once.
pub(super) async fn track(
    system: &System,
    id: TrackingId,
    rng: &mut Rng,
) -> anyhow::Result<Tracked> {
    let gateway = rng.choice(&system.gateways).context("no gateway")?;
    let url = format!("http://{}/fineract/track/{id}", gateway.address);
    let request = system.http.get(url).header("X-Internal-Token", TOKEN);
    let answer = request.send().await?;
    match answer.status() {
        StatusCode::OK => {
            let body = answer.text().await?;
            Ok(match serde_json::from_str::<Value>(&body)?.get("status") {
                Some(Value::String(status)) if status == "processing" => Tracked::NotEnded,
                _ => Tracked::Ended(body),
            })
        }
        StatusCode::NOT_FOUND => Ok(Tracked::Unknown),
        status => bail!("track answers {status}"),
    }
}

/// Where an operation stands that track says has ended.
pub(super) fn ended(reading: &str) -> Standing {
    let body: Value = serde_json::from_str(reading).unwrap_or_default();
    if body.get("status").and_then(Value::as_str) == Some("success") {
        return Standing::Succeeded;
    }
    let failure = body.get("failure_response").map(Value::to_string);
    let answer = Answer {
        status: 0,
        cached: false,
        body: failure.unwrap_or_default(),
        retry_after: None,
    };
    Standing::Failed {
        codes: answer.codes(),
    }
}
