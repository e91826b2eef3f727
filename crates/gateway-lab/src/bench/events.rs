//! Measures webhooks: how fast events are delivered to one endpoint, what one costs, and whether a million events that
//! wait for a receiver slow down the acceptance.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::{Router, extract::State, http::StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

use super::{
    Scale,
    bed::{Bed, TOKEN},
    figures::{Milli, Samples},
    table::Row,
};
use crate::private::serve;

/// How long the receiver takes for its answer.
const ANSWERS_AFTER: Duration = Duration::from_millis(50);
/// How many operations are accepted each second while events wait.
const RATE: u32 = 500;

/// A receiver that counts what it gets.
struct Receiver {
    url: String,
    got: Arc<AtomicU64>,
    /// Ends it when it is dropped.
    _serving: JoinSet<()>,
}

impl Receiver {
    async fn start() -> anyhow::Result<Self> {
        let got = Arc::new(AtomicU64::new(0));
        let router = Router::new().fallback(answer);
        let (address, serving) = serve(router.with_state(Arc::clone(&got))).await?;
        Ok(Self {
            url: format!("http://{address}/"),
            got,
            _serving: serving,
        })
    }
}

async fn answer(State(got): State<Arc<AtomicU64>>, _: axum::body::Bytes) -> StatusCode {
    sleep(ANSWERS_AFTER).await;
    got.fetch_add(1, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

/// Delivers many events to one endpoint. Then accepts operations without and with many events that wait.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("events").await?;
    let (told, waiting) = (scale.size(20_000, 500), scale.size(1_000_000, 5_000));
    bed.queue.fill_history(1, waiting).await?;
    bed.start_gateway("all", "postgres").await?;
    let mut rows = delivery(&bed, scale, told).await?;
    rows.push(waiting_events(&bed, scale, told, waiting).await?);
    bed.clear().await?;
    Ok(rows)
}

/// Measures how many events are delivered each second, and the CPU time of one.
async fn delivery(bed: &Bed, scale: &Scale, told: i64) -> anyhow::Result<Vec<Row>> {
    let receiver = Receiver::start().await?;
    let mut rates = Samples::default();
    let [mut all, mut gateway, mut postgres] = [(); 3].map(|()| Samples::default());
    for time in 0..=scale.times() {
        bed.queue
            .run("DELETE FROM event; DELETE FROM webhook_delivery")
            .await?;
        bed.queue.fill_events(1, told).await?;
        receiver.got.store(0, Ordering::Relaxed);
        let before = bed.cpu_micros().await?;
        let started = Instant::now();
        let endpoint = add_endpoint(bed, &receiver.url).await?;
        while receiver.got.load(Ordering::Relaxed) < told.unsigned_abs() {
            sleep(Duration::from_millis(5)).await;
        }
        let took = started.elapsed();
        let after = bed.cpu_micros().await?;
        remove_endpoint(bed, &endpoint).await?;
        // The first time warms everything up.
        if time > 0 {
            let micros = u64::try_from(took.as_micros())?;
            rates.push(Milli::ratio(told.unsigned_abs() * 1_000_000, micros));
            let used = (after.0 - before.0, after.1 - before.1);
            all.push(Milli((used.0 + used.1) / told.unsigned_abs()));
            gateway.push(Milli(used.0 / told.unsigned_abs()));
            postgres.push(Milli(used.1 / told.unsigned_abs()));
        }
    }
    let measure = "deliveries per second to one endpoint that answers in 50 ms";
    Ok(vec![
        Row::at_least(measure, &rates, "", Milli::whole(1_000)).note(&format!("{told} events")),
        Row::stated(
            "CPU of gateway and Postgres for one delivery",
            format!("{all} ms"),
        )
        .note(&format!("{gateway} + {postgres}")),
    ])
}

/// Compares the time of an acceptance while many events wait for a receiver that does not answer with that time before.
async fn waiting_events(bed: &Bed, scale: &Scale, told: i64, waiting: i64) -> anyhow::Result<Row> {
    let lasts = scale.seconds(30, 3);
    let accept = async || bed.accept_p99(0, scale.size(RATE, 50), lasts).await;
    let [mut alone, mut beside] = [(); 2].map(|()| Samples::default());
    // Nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    drop(listener);
    bed.queue.fill_events(told + 1, waiting).await?;
    bed.queue.run("VACUUM ANALYZE").await?;
    for _ in 0..scale.times() {
        alone.push(accept().await?);
        let endpoint = add_endpoint(bed, &url).await?;
        beside.push(accept().await?);
        remove_endpoint(bed, &endpoint).await?;
    }
    let measure = format!(
        "accept p99 with {} events that wait for an endpoint, over none",
        Milli::whole(waiting.unsigned_abs())
    );
    Ok(Row::ratio(&measure, "ms", &beside, &alone))
}

/// Adds an endpoint that gets all events from the oldest on. Returns its path.
async fn add_endpoint(bed: &Bed, url: &str) -> anyhow::Result<String> {
    let endpoints = format!("{}/webhooks/endpoints", bed.url(0)?);
    let created: Value = post(bed, &endpoints, &json!({ "url": url })).await?;
    let id = created
        .get("id")
        .and_then(Value::as_str)
        .context("an endpoint without an id")?;
    let endpoint = format!("{endpoints}/{id}");
    post(
        bed,
        &format!("{endpoint}/recover"),
        &json!({ "since": "2020-01-01T00:00:00Z" }),
    )
    .await?;
    Ok(endpoint)
}

async fn post(bed: &Bed, url: &str, body: &Value) -> anyhow::Result<Value> {
    let request = bed
        .http
        .post(url)
        .header("X-Internal-Token", TOKEN)
        .json(body);
    Ok(request.send().await?.error_for_status()?.json().await?)
}

async fn remove_endpoint(bed: &Bed, endpoint: &str) -> anyhow::Result<()> {
    let request = bed.http.delete(endpoint).header("X-Internal-Token", TOKEN);
    request.send().await?.error_for_status()?;
    Ok(())
}
