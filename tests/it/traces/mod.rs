//! Traces: from a caller's span, through the queue, to Fineract and webhooks.

mod collector;
mod fineract;

use std::{fs, process::Stdio};

use fineract_gateway::domain::TraceParent;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use self::{
    collector::{Collector, Span},
    fineract::Fineract,
};
use crate::{
    shutdown::terminate,
    support::{
        Answer, TOKEN,
        caller::Caller,
        command::TemporaryFolder,
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
    format!("00-{}-{}-01", span.trace_id, span.id)
}

const TRIED_TWICE: &str = "
  POST /fineract/operate, 202
  wait LOAN_CREATE
  attempt LOAN_CREATE, 1, ready, error gateway_error
    POST loans, 502, error status_502
  attempt LOAN_CREATE, 2, succeeded, after attempt 1
    POST loans, 200, stored answer
  webhook operation.succeeded, 200
";

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
    let of_trace = collector.has(TRACE, CALLER, TRIED_TWICE).await;
    assert!(of_trace.iter().all(|span| span.times.0 <= span.times.1));
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
    let told = receiver.got();
    let told = told.iter().find(|got| got.says().ends_with(&tracking_id));
    assert_eq!(
        told.expect("a delivery").header("traceparent"),
        header(webhook.expect("a span"))
    );
}

const CREATED: &str = "
  POST /fineract/operate, 202
  wait CLIENT_CREATE
  attempt CLIENT_CREATE, 1, succeeded
    POST clients, 200
";

#[sqlx::test]
async fn an_operation_without_a_caller_s_trace_has_its_own(pool: PgPool) {
    let collector = Collector::start().await;
    let (mut system, fineract) = system(&pool, Some(&collector)).await;
    let folder = TemporaryFolder::new();
    let headers = format!("{}/headers", folder.path());
    fs::write(&headers, "authorization=Bearer%20hush\n").expect("a file");
    system.set("OTEL_EXPORTER_OTLP_HEADERS_FILE", &headers);
    let gateway = system.process().await;
    // What is no traceparent, or several, is ignored.
    let unreadable: [&[&str]; 3] = [
        &[],
        &["00-what-01"],
        &[
            &format!("00-{TRACE}-{CALLER}-01"),
            &format!("00-{TRACE}-{CALLER}-01"),
        ],
    ];
    for (number, traceparents) in (1..).zip(unreadable) {
        let body = envelope("CLIENT_CREATE", client(&format!("INC-{number}")));
        let tracking_id = submit(&gateway, &body, traceparents).await;
        let (_, id) = tracking_id.split_once('|').expect("a tracking id");
        let own = id.replace('-', "");
        let of_trace = collector.has(&own, "", CREATED).await;
        let attempt = of_trace
            .iter()
            .find(|span| span.name.starts_with("attempt"));
        assert_eq!(attempt.expect("a span").attributes["operation.id"], id);
        let command = of_trace.iter().find(|span| span.name == "POST clients");
        let arrived = fineract.requests("/clients").pop().expect("a request");
        assert_eq!(arrived.traceparent, command.map(header));
    }
    assert_eq!(
        collector.header("authorization").as_deref(),
        Some("Bearer hush")
    );
    let resource = collector.resource();
    assert_eq!(resource["service.name"], "fineract-gateway");
    assert_eq!(resource["deployment.environment.name"], "test");

    assert!(!contains(
        &collector.bytes(),
        &["Jayesh", "Badgujar", "INC-", "hush"]
    ));
}

#[sqlx::test]
async fn the_end_of_the_process_waits_for_the_last_spans(pool: PgPool) {
    let collector = Collector::start().await;
    let (mut system, _fineract) = system(&pool, Some(&collector)).await;
    // So nothing is sent before.
    system.set("OTEL_BSP_SCHEDULE_DELAY", "600000");
    let mut gateway = system.process().await;
    let body = envelope("CLIENT_CREATE", client("INC-1"));
    let tracking_id = submit(&gateway, &body, &[&format!("00-{TRACE}-{CALLER}-01")]).await;
    gateway.end_of(&tracking_id).await;
    terminate(&gateway).await;
    assert_eq!(gateway.exit_code().await, Some(0));
    collector.has(TRACE, CALLER, CREATED).await;
}

#[sqlx::test]
async fn without_a_collector_the_callers_trace_is_passed_on(pool: PgPool) {
    let (system, fineract) = system(&pool, None).await;
    let gateway = system.gateway().await;
    let receiver = Receiver::start().await;
    tell(&gateway, &receiver).await;
    for (number, traceparent) in (1..).zip([
        Some(format!("00-{TRACE}-{CALLER}-01")),
        Some(format!("00-{TRACE}-{CALLER}-00")),
        None,
    ]) {
        let body = envelope("CLIENT_CREATE", client(&format!("INC-{number}")));
        let traceparents: Vec<_> = traceparent.iter().map(String::as_str).collect();
        let tracking_id = submit(&gateway, &body, &traceparents).await;
        gateway.end_of(&tracking_id).await;
        let arrived = fineract.requests("/clients").pop().expect("a request");
        assert_eq!(arrived.what, "POST /fineract-provider/api/v1/clients");
        assert_eq!(arrived.traceparent, traceparent);
        let told = receiver.gets(number).await.pop().expect("a delivery");
        let told = told
            .headers
            .get("traceparent")
            .map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(told, traceparent);
    }
}

#[sqlx::test]
async fn a_trace_that_its_caller_does_not_record_is_passed_on_unrecorded(pool: PgPool) {
    let collector = Collector::start().await;
    let (system, fineract) = system(&pool, Some(&collector)).await;
    let gateway = system.process().await;
    let body = envelope("CLIENT_CREATE", client("INC-1"));
    let traceparent = format!("00-{TRACE}-{CALLER}-00");
    let tracking_id = submit(&gateway, &body, &[&traceparent]).await;
    gateway.end_of(&tracking_id).await;
    let arrived = fineract.requests("/clients").pop().expect("a request");
    let arrived: TraceParent = arrived
        .traceparent
        .expect("a header")
        .parse()
        .expect("valid");
    assert_eq!(format!("{:032x}", arrived.trace_id), TRACE);
    assert!(!arrived.is_sampled);

    // A refused request is a span of its caller's trace, and no failure of the gateway.
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let request = gateway
        .request(Method::POST, "/fineract/operate")
        .header("X-Internal-Token", TOKEN)
        .header("traceparent", traceparent);
    let answer = Answer::of(request.json(&envelope("CLIENT_CREATE", json!({})))).await;
    assert_eq!(answer.status, 422);
    let refused = "\n  POST /fineract/operate, 422";
    collector.has(TRACE, CALLER, refused).await;
}

#[sqlx::test]
async fn a_collector_that_is_away_delays_nothing(pool: PgPool) {
    let (mut system, _fineract) = system(&pool, None).await;
    // Port 1 belongs to no program.
    system.set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let mut gateway = system.process_with_log("off", Stdio::inherit()).await;
    gateway.succeeds("CLIENT_CREATE", client("INC-1")).await;
    terminate(&gateway).await;
    assert_eq!(gateway.exit_code().await, Some(0));
}

fn contains(bytes: &[u8], texts: &[&str]) -> bool {
    texts.iter().any(|text| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    })
}
