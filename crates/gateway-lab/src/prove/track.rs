//! The results that track reports.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fastrand::Rng;
use reqwest::StatusCode;
use serde_json::Value;

use super::{
    judge::{Accepted, Status},
    system::{System, TOKEN},
};
use fineract_gateway::domain::{Answer, TrackingId};

/// How long to wait for an answer of track.
const PATIENCE: Duration = Duration::from_mins(1);
/// The pause before track is called again.
const PAUSE: Duration = Duration::from_millis(50);

/// What track reports of an operation.
pub(super) enum Tracked {
    /// `processing`.
    NotEnded,
    /// No gateway knows the operation (404).
    Unknown,
    /// The body with the result, unchanged.
    Ended(String),
}

impl Tracked {
    /// Whether this reports a failure.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Ended(reading) if matches!(ended(reading), Status::Failed { .. }))
    }
}

/// Reads the result of an operation again, at the end of the run.
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

/// Calls track on random gateways until one answers.
pub(super) async fn until_answered(
    system: &System,
    id: TrackingId,
    rng: &mut Rng,
) -> anyhow::Result<Tracked> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match track(system, id, rng).await {
            Ok(tracked) => return Ok(tracked),
            Err(error) => tracing::debug!(%error, %id, "track did not answer; asking again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("no gateway answered track for {id}")
}

/// Calls track once, on a random gateway.
pub(super) async fn track(
    system: &System,
    id: TrackingId,
    rng: &mut Rng,
) -> anyhow::Result<Tracked> {
    let gateway = rng
        .choice(&system.gateways)
        .context("there is no gateway")?;
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
        status => bail!("track answered {status}"),
    }
}

/// The status of an operation for which track returned this result.
pub(super) fn ended(reading: &str) -> Status {
    let body: Value = serde_json::from_str(reading).unwrap_or_default();
    if body.get("status").and_then(Value::as_str) == Some("success") {
        return Status::Succeeded;
    }
    let failure = body.get("failure_response").map(Value::to_string);
    let answer = Answer {
        status: 0,
        cached: false,
        body: failure.unwrap_or_default(),
        retry_after: None,
    };
    Status::Failed {
        codes: answer.codes(),
    }
}
