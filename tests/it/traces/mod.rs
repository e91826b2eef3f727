//! Traces: from a caller's span, through the queue, to Fineract and webhooks.

mod collector;
mod fineract;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use self::{
    collector::{Collector, Span, tree},
    fineract::Fineract,
};
use crate::{
    support::{
        Answer, TOKEN,
        caller::Caller,
        fixtures::{client, envelope, loan},
        system::System,
    },
    webhooks::receiver::Receiver,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A system whose gateways send spans to a collector, if there is one.
async fn system(pool: &PgPool, collector: Option<&Collector>) -> (System, Fineract) {
    let mut system = System::start(pool).await;
    let fineract = Fineract::start().await;
    system.set("FINERACT_URL", &fineract.url());
    system.set("WEBHOOKS_ALLOW_HTTP", "true");
    system.set("WEBHOOKS_ALLOW_NETWORKS", "127.0.0.0/8");
    if let Some(collector) = collector {
        system.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
        system.set("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hush");
        system.set(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        );
        system.set("OTEL_BSP_SCHEDULE_DELAY", "20");
    }
    (system, fineract)
}

/// Submits an operation with these `traceparent` headers. Returns its tracking id.
async fn submit(gateway: &Caller, body: &Value, traceparents: &[&str]) -> String {
    let mut request = gateway
        .request(Method::POST, "/fineract/operate")
        .header("X-Internal-Token", TOKEN)
        .json(body);
    for traceparent in traceparents {
        request = request.header("traceparent", *traceparent);
    }
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let tracking_id = answer.json()["tracking_id"].take();
    tracking_id.as_str().expect("a tracking id").to_owned()
}

async fn tell(gateway: &Caller, receiver: &Receiver) {
    let request = gateway
        .request(Method::POST, "/webhooks/endpoints")
        .header("X-Internal-Token", TOKEN);
    let answer = Answer::of(request.json(&json!({ "url": receiver.url() }))).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

fn header(span: &Span) -> String {
    format!("00-{}-{}-01", span.trace_id, span.span_id)
}

#[sqlx::test]
async fn a_loan_that_is_tried_twice_is_one_trace(pool: PgPool) {
    let collector = Collector::start().await;
    let (system, fineract) = system(&pool, Some(&collector)).await;
    let gateway = system.process().await;
    gateway.succeeds("CLIENT_CREATE", client("INC-1")).await;
    let receiver = Receiver::start().await;
    tell(&gateway, &receiver).await;

    fineract.lose_an_answer().await;
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let body = envelope("LOAN_CREATE", loan("LOAN-1", "INC-1"));
    let tracking_id = submit(&gateway, &body, &[&caller]).await;
    assert_eq!(gateway.end_of(&tracking_id).await["status"], "success");
    let told = receiver.gets(1).await;
    collector.gets(2, "attempt LOAN_CREATE").await;
    let spans = collector.gets(1, "webhook operation.succeeded").await;

    let of_trace: Vec<_> = spans
        .into_iter()
        .filter(|span| span.trace_id == TRACE)
        .collect();
    let tree = tree(&of_trace, CALLER);
    println!("caller\n{tree}");
    assert_eq!(tree, "");
    assert_eq!(of_trace.len(), tree.lines().count(), "{of_trace:?}");
    let sent: Vec<_> = of_trace
        .iter()
        .filter(|span| span.name == "POST loans")
        .map(header)
        .collect();
    let arrived = fineract
        .requests("/loans")
        .into_iter()
        .filter_map(|request| request.traceparent);
    assert_eq!(arrived.collect::<Vec<_>>(), sent);
    let webhook = of_trace
        .iter()
        .find(|span| span.name.starts_with("webhook"));
    assert_eq!(
        told[0].header("traceparent"),
        header(webhook.expect("a span"))
    );
}
