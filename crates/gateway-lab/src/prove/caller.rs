//! The LOS of a round. It sends operations until they are accepted, records what was accepted, and reads the results.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use fastrand::Rng;
use futures_util::future::{join, try_join_all};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    case::{Case, Step},
    failures_read::END_PATIENCE,
    judge::{Accepted, Status},
    requests::Request,
    system::{System, TOKEN},
    track::{Tracked, ended, until_answered},
};
use fineract_gateway::domain::{OperationId, State, TrackingId};

/// For how long a caller tries to have an operation accepted.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// The pause before a caller tries again.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// All callers of a round.
#[derive(Debug)]
pub(super) struct Callers<'a> {
    pub(super) system: &'a System,
    round: u32,
    pub(super) started: Instant,
    accepted: Mutex<Vec<Accepted>>,
}

impl<'a> Callers<'a> {
    /// Callers of the round that starts now.
    pub(super) fn new(system: &'a System, round: u32) -> Self {
        Self {
            system,
            round,
            started: Instant::now(),
            accepted: Mutex::default(),
        }
    }

    /// The time since the start of the round.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Accepted>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was accepted in the round.
    pub(super) fn into_accepted(self) -> Vec<Accepted> {
        self.accepted
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The round's number.
    pub(super) fn round(&self) -> u32 {
        self.round
    }

    /// All operations accepted so far, each with the status that `status_of` returns for it. If `status_of` returns
    /// `None`, the status is [`Status::Missing`].
    pub(super) fn with_statuses(
        &self,
        status_of: impl Fn(OperationId) -> Option<Status>,
    ) -> Vec<Accepted> {
        let mut operations = self.lock().clone();
        for operation in &mut operations {
            let found = operation.id().and_then(&status_of);
            operation.status = found.unwrap_or(Status::Missing);
        }
        operations
    }

    /// The ids of all operations accepted so far.
    pub(super) fn ids(&self) -> Vec<OperationId> {
        self.lock().iter().filter_map(Accepted::id).collect()
    }

    /// Runs all cases in parallel. Cases with `comes_last` begin only after all other cases have ended.
    pub(super) async fn run_cases(&self, cases: Vec<Case>, rng: &mut Rng) -> anyhow::Result<()> {
        let runs = cases.into_iter().enumerate().map(|(number, case)| {
            let comes_last = case.comes_last;
            (comes_last, self.run_case(number, case, rng.fork()))
        });
        let (last, first): (Vec<_>, Vec<_>) = runs.partition(|(comes_last, _)| *comes_last);
        try_join_all(first.into_iter().map(|(_, run)| run)).await?;
        if !last.is_empty() {
            self.until_quiet().await;
        }
        try_join_all(last.into_iter().map(|(_, run)| run)).await?;
        Ok(())
    }

    /// Waits until every accepted operation has ended or is parked, but not longer than [`END_PATIENCE`].
    async fn until_quiet(&self) {
        let started = Instant::now();
        while started.elapsed() < END_PATIENCE {
            let rows = self.system.oversight.operations(&self.ids()).await;
            let is_open = |row: &super::oversight::OperationRow| {
                !row.state.is_end() && row.state != State::Parked
            };
            if rows.is_ok_and(|rows| !rows.iter().any(is_open)) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn run_case(&self, case_number: usize, case: Case, mut rng: Rng) -> anyhow::Result<()> {
        tokio::time::sleep(case.begins).await;
        let mut sent = Vec::new();
        let mut is_patient = true;
        for (number, step) in case.steps.into_iter().enumerate() {
            match step {
                Step::Send(request) => {
                    let key = format!("r{}-{case_number}-{number}", self.round);
                    sent.push(self.send(&key, request, &mut rng).await?);
                }
                Step::Batch(requests) => {
                    let reference = format!("r{}-{case_number}-{number}", self.round);
                    self.send_batch(&reference, requests, &mut rng).await?;
                }
                Step::Pause(time) => tokio::time::sleep(time).await,
                // After one wait that was too short, the case no longer waits for ends.
                Step::AwaitEnds if is_patient => {
                    is_patient = self.until_ended(&sent, &mut rng).await;
                    sent.clear();
                }
                Step::AwaitEnds => {}
                Step::AwaitFailureTold => self.until_failure_told(&sent).await,
                Step::Act(action) => action.run(&self.system.fineract).await?,
            }
            tokio::time::sleep(Duration::from_millis(rng.u64(0..150))).await;
        }
        Ok(())
    }

    /// Sends an operation until it is accepted. Sometimes sends it twice in parallel, or a second time after the first
    /// acceptance.
    async fn send(&self, key: &str, request: Request, rng: &mut Rng) -> anyhow::Result<TrackingId> {
        let sent_at = self.started.elapsed();
        let mut body = json!({ "status": request.operation_type.as_str(), "data": request.data });
        if let (Some(expires_in), Some(fields)) = (request.expires_in, body.as_object_mut()) {
            fields.insert("expires_at".to_owned(), json!(moment_in(expires_in)));
        }
        let body = body.to_string();
        let (first, second) = match rng.u8(0..8) {
            0 => {
                let mut other = rng.fork();
                let both = join(
                    self.submit(key, &body, rng),
                    self.submit(key, &body, &mut other),
                );
                let (first, second) = both.await;
                (first?, Some(second?))
            }
            1 => {
                let first = self.submit(key, &body, rng).await?;
                (first, Some(self.submit(key, &body, rng).await?))
            }
            _ => (self.submit(key, &body, rng).await?, None),
        };
        self.lock().push(Accepted::new(
            key.to_owned(),
            &request,
            sent_at,
            self.started.elapsed(),
            [first].into_iter().chain(second).collect(),
        ));
        Ok(first)
    }

    async fn submit(&self, key: &str, body: &str, rng: &mut Rng) -> anyhow::Result<TrackingId> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let gateway = rng
                .choice(&self.system.gateways)
                .context("there is no gateway")?;
            let url = format!("http://{}/fineract/operate", gateway.address);
            let request = self.system.http.post(url).header("X-Internal-Token", TOKEN);
            let request = request
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", key)
                .body(body.to_owned());
            match request.send().await {
                Ok(answer) => {
                    if let Some(tracking_id) = accepted(answer, body).await? {
                        return Ok(tracking_id);
                    }
                }
                Err(error) => tracing::debug!(%error, key, "no answer; sending again"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("no gateway accepted {key}")
    }

    /// Reads the result of every operation once and records it.
    pub(super) async fn read_ends(&self, rng: &mut Rng) -> anyhow::Result<()> {
        let all: Vec<TrackingId> = self
            .lock()
            .iter()
            .filter_map(|operation| operation.tracking_ids.first().copied())
            .collect();
        for id in all {
            let tracked = until_answered(self.system, id, rng).await?;
            for operation in &mut *self.lock() {
                if operation.tracking_ids.first() != Some(&id) {
                    continue;
                }
                match &tracked {
                    Tracked::Ended(reading) => {
                        operation.status = ended(reading);
                        operation.readings.push(reading.clone());
                    }
                    Tracked::Unknown => operation.status = Status::Missing,
                    // A final status must never change. So if an ended operation is `processing` again, this reading is
                    // recorded for the judge.
                    Tracked::NotEnded if !operation.readings.is_empty() => {
                        operation.readings.push("processing".to_owned());
                    }
                    Tracked::NotEnded => {}
                }
            }
        }
        Ok(())
    }
}

/// The time that is `time` from now, in the format of `expires_at`.
pub(super) fn moment_in(time: Duration) -> String {
    DateTime::<Utc>::from(SystemTime::now() + time).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The tracking id of an accepted operation. `None` if the caller has to send the operation again.
async fn accepted(answer: Response, sent: &str) -> anyhow::Result<Option<TrackingId>> {
    let status = answer.status();
    let Ok(body) = answer.text().await else {
        return Ok(None);
    };
    match status {
        StatusCode::ACCEPTED | StatusCode::OK => {
            let body: Value = serde_json::from_str(&body)?;
            let tracking_id = body.get("tracking_id").and_then(Value::as_str);
            let tracking_id = tracking_id.context("the acceptance has no tracking id")?;
            Ok(Some(tracking_id.parse()?))
        }
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Ok(None),
        status => bail!("the gateway refused {sent} with {status}: {body}"),
    }
}
