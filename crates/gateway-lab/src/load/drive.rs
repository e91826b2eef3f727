//! Sends the operations of a load over many connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use fineract_gateway::tls::http_client;
use indicatif::ProgressBar;
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Mix, Report};

/// How long an operation may take to end. If an operation takes longer, the load fails.
const LONGEST: Duration = Duration::from_mins(2);

/// What to send, to which gateway, and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The URL of the gateway, without a trailing slash.
    pub(crate) url: String,
    /// The caller's token.
    pub(crate) token: String,
    /// The number of connections, each with one request at a time.
    pub(crate) connections: usize,
    /// For how long new operations are sent.
    pub(crate) duration: Duration,
    /// The number of borrowers after which each connection ends, unless `duration` has passed before.
    pub(crate) borrowers: Option<usize>,
    /// The prefix of the borrowers' names. A load with the prefix of an earlier load continues with the same borrowers.
    pub(crate) run: String,
    /// Operations per second, or `None` to send as fast as the gateway accepts.
    pub(crate) rate: Option<u32>,
    /// Which operations are sent.
    pub(crate) mix: Mix,
    /// Whether to wait for the end of each operation.
    pub(crate) follow: bool,
}

#[derive(Deserialize)]
struct Tracked {
    tracking_id: String,
    status: String,
}

/// Sends everything that a plan contains.
pub(crate) async fn drive(plan: &Plan, bar: &ProgressBar) -> anyhow::Result<Report> {
    let client = http_client()
        .timeout(Duration::from_secs(40))
        .pool_max_idle_per_host(plan.connections)
        .tcp_nodelay(true)
        .no_proxy()
        .build()
        .context("cannot create an HTTP client")?;
    let started = Instant::now();
    let sent = Arc::new(AtomicU64::new(0));
    let mut connections = JoinSet::new();
    for number in 0..plan.connections {
        let connection = Connection {
            client: client.clone(),
            plan: plan.clone(),
            name: format!("{}-{number}", plan.run),
            started,
            sent: Arc::clone(&sent),
            report: Report::default(),
        };
        connections.spawn(connection.run(number));
    }
    let mut report = Report::default();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            ended = connections.join_next() => match ended {
                Some(ended) => report.add(ended.context("a connection panicked")??),
                None => break,
            },
            _ = tick.tick() => {
                bar.set_position(started.elapsed().as_secs().min(plan.duration.as_secs()));
                bar.set_message(format!("{} accepted", sent.load(Ordering::Relaxed)));
            }
        }
    }
    report.took = started.elapsed();
    Ok(report)
}

struct Connection {
    client: Client,
    plan: Plan,
    name: String,
    started: Instant,
    sent: Arc<AtomicU64>,
    report: Report,
}

impl Connection {
    async fn run(mut self, number: usize) -> anyhow::Result<Report> {
        let mut borrower = 0_usize;
        let most = self.plan.borrowers.unwrap_or(usize::MAX);
        while borrower < most && self.started.elapsed() < self.plan.duration {
            let name = format!("{}-{borrower}", self.name);
            let operations = self.plan.mix.operations(&name, number + borrower);
            let mut accepted = Vec::with_capacity(operations.len());
            // The operations of one borrower are sent without pauses, even if a rate is set. A pause would count as
            // part of their latency.
            let mut due = self.due(operations.len()).await;
            for operation in operations {
                accepted.push((due, self.submit(&operation, due).await?));
                due = Instant::now();
            }
            if self.plan.follow {
                for (submitted, tracking_id) in accepted {
                    self.follow(submitted, &tracking_id).await?;
                }
            }
            borrower += 1;
        }
        Ok(self.report)
    }

    /// The time at which the next operations are due: now, or the time that follows from the rate. All connections
    /// share the rate.
    async fn due(&self, operations: usize) -> Instant {
        let operations = u64::try_from(operations).unwrap_or(u64::MAX);
        let number = self.sent.fetch_add(operations, Ordering::Relaxed);
        let Some(rate) = self.plan.rate else {
            return Instant::now();
        };
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate.max(1));
        let due = self.started + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        tokio::time::sleep_until(due.into()).await;
        due
    }

    async fn submit(&mut self, operation: &Value, due: Instant) -> anyhow::Result<String> {
        let answer = self
            .client
            .post(format!("{}/fineract/operate", self.plan.url))
            .header("X-Internal-Token", &self.plan.token)
            .json(operation)
            .send()
            .await
            .context("the gateway does not answer")?;
        if answer.status() != 202 {
            bail!("the gateway answered {}", answer.status());
        }
        let tracked: Tracked = answer
            .json()
            .await
            .context("the answer has no tracking id")?;
        self.report.accepted(&tracked.tracking_id, due.elapsed());
        Ok(tracked.tracking_id)
    }

    async fn follow(&mut self, submitted: Instant, tracking_id: &str) -> anyhow::Result<()> {
        while submitted.elapsed() < LONGEST {
            let tracked: Tracked = self
                .client
                .get(format!("{}/fineract/track/{tracking_id}", self.plan.url))
                .header("X-Internal-Token", &self.plan.token)
                .header("Prefer", "wait=30")
                .send()
                .await
                .context("the gateway does not answer")?
                .json()
                .await
                .context("the answer of track cannot be read")?;
            if tracked.status != "processing" {
                self.report
                    .ended(submitted.elapsed(), tracked.status == "success");
                return Ok(());
            }
        }
        bail!("{tracking_id} did not end")
    }
}
