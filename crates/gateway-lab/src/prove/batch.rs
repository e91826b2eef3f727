//! A bulk client that submits a batch, cancels it, and retries its failed rows.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fastrand::Rng;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    caller::{Callers, PATIENCE, PAUSE, moment_in},
    judge::Accepted,
    requests::Request,
    system::BULK_CLIENT,
};
use fineract_gateway::domain::{OperationId, TrackingId};

/// A row of a batch in the answer of `POST /bulk/status`.
#[derive(Debug, Deserialize)]
struct Row {
    /// The number of the row in the batch, from 1.
    id: usize,
    /// The id of the operation that runs the row. The row was sent without a `consent_id`, so the answer has this id as
    /// its `consent_id`.
    consent_id: uuid::Uuid,
    status: String,
}

impl Row {
    fn operation(&self) -> OperationId {
        OperationId(self.consent_id)
    }
}

impl Callers<'_> {
    /// Submits a batch and cancels it while it runs. Then retries all failed rows. Then retries all rows by number,
    /// with an `expires_at` that passes before some of them can be sent. Finally retries all failed rows once more.
    pub(super) async fn send_batch(
        &self,
        reference: &str,
        requests: Vec<Request>,
        rng: &mut Rng,
    ) -> anyhow::Result<()> {
        let batch = Batch {
            callers: self,
            reference,
            requests,
        };
        let operations: Vec<Value> = batch
            .requests
            .iter()
            .map(|request| json!({ "status": request.operation_type.as_str(), "data": request.data }))
            .collect();
        let sent_at = self.elapsed();
        batch
            .ask("schedule", json!({ "operations": operations }), rng)
            .await?;
        let mut rows = batch.read(rng).await?;
        for row in &rows {
            batch.note(row, sent_at, None)?;
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(0..400))).await;
        batch.ask("cancel", json!({}), rng).await?;
        rows = batch.retry(rows, json!({}), rng).await?;
        let deadline = Duration::from_millis(rng.u64(100..800));
        let named: Vec<usize> = rows.iter().map(|row| row.id).collect();
        let named = json!({ "records": named, "expires_at": moment_in(deadline) });
        rows = batch.retry(rows, named, rng).await?;
        tokio::time::sleep(deadline + Duration::from_millis(rng.u64(0..300))).await;
        batch.retry(rows, json!({}), rng).await.map(drop)
    }
}

/// A batch and the requests of its rows.
struct Batch<'a> {
    callers: &'a Callers<'a>,
    reference: &'a str,
    requests: Vec<Request>,
}

impl Batch<'_> {
    /// Retries all failed rows, or the rows that `records` names. Returns the rows as they are afterwards.
    async fn retry(&self, rows: Vec<Row>, which: Value, rng: &mut Rng) -> anyhow::Result<Vec<Row>> {
        let is_named = which.get("records").is_some();
        let sent_at = self.callers.elapsed();
        self.ask("retry", which, rng).await?;
        let now = self.read(rng).await?;
        for (before, after) in rows.iter().zip(&now) {
            if before.operation() != after.operation() {
                let before = Some(before.operation()).filter(|_| !is_named);
                self.note(after, sent_at, before)?;
            }
        }
        Ok(now)
    }

    /// Records the operation that runs a row, as an accepted operation.
    fn note(
        &self,
        row: &Row,
        sent_at: Duration,
        replaces: Option<OperationId>,
    ) -> anyhow::Result<()> {
        let request = row.id.checked_sub(1).and_then(|id| self.requests.get(id));
        let request = request.context("the answer contains a row that was not sent")?;
        let tracking_id = TrackingId {
            operation_type: request.operation_type,
            id: row.operation(),
        };
        let mut accepted = Accepted::new(
            format!("{}#{}@{}", self.reference, row.id, sent_at.as_millis()),
            request,
            sent_at,
            self.callers.elapsed(),
            vec![tracking_id],
        );
        accepted.replaces = replaces;
        self.callers.lock().push(accepted);
        Ok(())
    }

    /// Reads the status of all rows. A failure that this answer contains counts as read by a caller.
    async fn read(&self, rng: &mut Rng) -> anyhow::Result<Vec<Row>> {
        // The answer to the first try may be lost, so the failures count as read since then.
        let asked_at = Instant::now();
        let body = self.ask("status", json!({ "limit": 1_000 }), rng).await?;
        let records = body.pointer("/data/records").cloned();
        let rows: Vec<Row> =
            serde_json::from_value(records.context("the status of the batch has no records")?)?;
        for row in rows.iter().filter(|row| row.status == "FAILED") {
            self.callers.note_failure_read(row.operation(), asked_at);
        }
        Ok(rows)
    }

    /// Calls a bulk route for this batch until a gateway answers.
    async fn ask(&self, route: &str, mut body: Value, rng: &mut Rng) -> anyhow::Result<Value> {
        if let Some(fields) = body.as_object_mut() {
            fields.insert("reference_id".to_owned(), json!(self.reference));
        }
        let system = self.callers.system;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let gateway = rng.choice(&system.gateways).context("no gateway")?;
            let url = format!("http://{}/bulk/{route}", gateway.address);
            let request = BULK_CLIENT
                .into_iter()
                .fold(system.http.post(url), |request, (name, value)| {
                    request.header(name, value)
                });
            let request = request.header("Content-Type", "application/json");
            match request.body(body.to_string()).send().await {
                Ok(answer) => {
                    let status = answer.status();
                    let text = answer.text().await;
                    if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
                        match text {
                            Ok(text) if status.is_success() => {
                                return Ok(serde_json::from_str(&text)?);
                            }
                            Ok(text) => {
                                bail!("the gateway refused bulk {route} with {status}: {text}")
                            }
                            Err(error) => {
                                tracing::debug!(%error, route, "the answer was incomplete; sending again");
                            }
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, route, "no answer; sending again"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("no gateway answered bulk {route} for {}", self.reference)
    }
}
