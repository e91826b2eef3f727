//! A caller who asks again and again how the transactions stand that are under way.

use std::{convert::Infallible, time::Duration};

use anyhow::Context;
use fastrand::Rng;
use futures_util::future::join_all;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;

use super::{caller::Callers, judge::Accepted, system::API_KEYS};
use fineract_gateway::domain::{OperationId, OperationType};

/// How often: with so many keys no key is used more often than it may be.
const EVERY: Duration = Duration::from_millis(750);
/// What is said of one that has not ended.
const OPEN: [&str; 5] = [
    "pending",
    "on_hold",
    "processing",
    "sent_to_provider",
    "Unknown",
];
/// And of one that has ended well.
const GOOD: [&str; 2] = ["success", "paid_full"];
/// How often an end is told before nobody asks again.
const TOLD_ENOUGH: usize = 2;

#[derive(Deserialize)]
struct Transaction {
    status: String,
}

impl Callers<'_> {
    /// Asks until it is broken off.
    pub(super) async fn poll(&self, mut rng: Rng) -> anyhow::Result<Infallible> {
        let mut ends: Vec<OperationId> = Vec::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let ended = |id: &OperationId| ends.iter().filter(|end| *end == id).count();
            let open = self.movements();
            let open = open.into_iter().filter(|id| ended(id) < TOLD_ENOUGH);
            ends.extend(self.ask_about(open.collect(), &mut rng).await?);
        }
    }

    /// Asks once about every transaction.
    pub(super) async fn poll_all(&self, rng: &mut Rng) -> anyhow::Result<()> {
        self.ask_about(self.movements(), rng).await.map(drop)
    }

    fn movements(&self) -> Vec<OperationId> {
        let operations = self.lock();
        let movements = operations.iter().filter(|operation| {
            matches!(
                operation.operation_type,
                OperationType::LoanDisburse | OperationType::LoanRepayment
            )
        });
        movements.filter_map(Accepted::id).collect()
    }

    /// Asks about these at once, and notes what is told; which have ended.
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
            asked.push(async move { (id, told(request).await) });
        }
        let asked_at = self.elapsed();
        let mut ended = Vec::new();
        for (id, told) in join_all(asked).await {
            // An answer that did not arrive may have been a failure.
            let is_failure = |status: &str| !OPEN.contains(&status) && !GOOD.contains(&status);
            let is_failure = told.as_deref().is_none_or(is_failure);
            for operation in &mut *self.lock() {
                if operation.id() != Some(id) {
                    continue;
                }
                if is_failure {
                    operation.failure_read_at.get_or_insert(asked_at);
                }
                if let Some(status) = &told
                    && operation.told.last() != Some(status)
                {
                    operation.told.push(status.clone());
                }
            }
            let is_end = |status: &str| !OPEN.contains(&status);
            ended.extend(told.as_deref().is_some_and(is_end).then_some(id));
        }
        Ok(ended)
    }
}

/// The status that one answer tells; `None` where there is no such answer.
async fn told(request: RequestBuilder) -> Option<String> {
    let answer = request.send().await.ok()?;
    if answer.status() != StatusCode::OK {
        return None;
    }
    let transaction: Transaction = answer.json().await.ok()?;
    Some(transaction.status)
}
