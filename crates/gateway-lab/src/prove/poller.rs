//! A caller that polls the transactions API about every running transaction.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use anyhow::Context;
use fastrand::Rng;
use futures_util::future::join_all;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;

use super::{caller::Callers, judge::Accepted, system::API_KEYS};
use fineract_gateway::domain::{OperationId, OperationType};

/// The polling interval. With this interval and [`API_KEYS`] keys, no key exceeds its request budget.
const POLL: Duration = Duration::from_millis(750);
/// The statuses of a transaction that has not ended.
const OPEN: [&str; 5] = [
    "pending",
    "on_hold",
    "processing",
    "sent_to_provider",
    "Unknown",
];
/// The statuses of a transaction that has succeeded.
const GOOD: [&str; 2] = ["success", "paid_full"];
/// A transaction that has ended is polled until its end was read this many times.
const READINGS_OF_AN_END: usize = 2;

#[derive(Deserialize)]
struct Transaction {
    status: String,
}

impl Callers<'_> {
    /// Polls until the caller drops this future.
    pub(super) async fn poll(&self, mut rng: Rng) -> anyhow::Result<Infallible> {
        let mut ends: Vec<OperationId> = Vec::new();
        loop {
            tokio::time::sleep(POLL).await;
            let ended = |id: &OperationId| ends.iter().filter(|end| *end == id).count();
            let open = self.transactions();
            let open = open.into_iter().filter(|id| ended(id) < READINGS_OF_AN_END);
            ends.extend(self.ask_about(open.collect(), &mut rng).await?);
        }
    }

    /// Reads every transaction once.
    pub(super) async fn poll_all(&self, rng: &mut Rng) -> anyhow::Result<()> {
        self.ask_about(self.transactions(), rng).await.map(drop)
    }

    fn transactions(&self) -> Vec<OperationId> {
        let operations = self.lock();
        let transactions = operations.iter().filter(|operation| {
            matches!(
                operation.operation_type,
                OperationType::LoanDisburse | OperationType::LoanRepayment
            )
        });
        transactions.filter_map(Accepted::id).collect()
    }

    /// Reads these transactions in parallel and records their statuses. Returns the ids of transactions that have
    /// ended.
    async fn ask_about(
        &self,
        ids: Vec<OperationId>,
        rng: &mut Rng,
    ) -> anyhow::Result<Vec<OperationId>> {
        let mut asked = Vec::new();
        for id in ids {
            let gateway = rng.choice(&self.system.gateways).context("no gateway")?;
            let key = rng.u8(0..API_KEYS);
            let url = format!("http://{}/transactions/{}", gateway.address, id);
            let request = self.system.http.get(url);
            let request = request.header("Authorization", format!("Token key-{key}"));
            asked.push(async move { (id, read_status(request).await) });
        }
        let asked_at = Instant::now();
        let mut ended = Vec::new();
        for (id, status) in join_all(asked).await {
            let is_failure = |status: &str| !OPEN.contains(&status) && !GOOD.contains(&status);
            if status.as_deref().is_none_or(is_failure) {
                self.note_failure_read(id, asked_at);
            }
            for operation in &mut *self.lock() {
                if operation.id() == Some(id)
                    && let Some(status) = &status
                    && operation.transaction_statuses.last() != Some(status)
                {
                    operation.transaction_statuses.push(status.clone());
                }
            }
            let is_end = |status: &str| !OPEN.contains(&status);
            ended.extend(status.as_deref().is_some_and(is_end).then_some(id));
        }
        Ok(ended)
    }
}

/// The status in the answer. `None` if there was no complete answer with status 200.
async fn read_status(request: RequestBuilder) -> Option<String> {
    let answer = request.send().await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let transaction: Transaction = answer.json().await.ok()?;
    Some(transaction.status)
}
