//! A collector of traces, which receives spans by OTLP over HTTP.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1,
};
use prost::Message as _;

use crate::support::{eventually::eventually_ok, serve::serve};

/// A span that arrived.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) name: String,
    /// The ids are hexadecimal, as in a `traceparent`.
    pub(super) trace_id: String,
    pub(super) id: String,
    pub(super) parent_id: String,
    pub(super) links: Vec<String>,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) error: Option<String>,
    pub(super) times: (u64, u64),
}

#[derive(Default)]
struct Shared {
    spans: Vec<Span>,
    bodies: Vec<Bytes>,
    headers: Vec<HeaderMap>,
    resource: BTreeMap<String, String>,
}

/// A collector that listens. It ends with the runtime of its test.
pub(super) struct Collector {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let shared = Arc::<Mutex<Shared>>::default();
        let router = Router::new().route("/v1/traces", post(receive));
        Self {
            address: serve(router.with_state(Arc::clone(&shared))).await,
            shared,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has arrived, in the order in which it began.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = self.shared.lock().expect("no panic").spans.clone();
        spans.sort_by_key(|span| span.times);
        spans
    }

    /// Waits until a trace is this tree below the span `parent_id`, and returns its spans. Reads of Fineract are left out of
    /// the tree, because how often an attempt reads depends on what the worker has read before.
    pub(super) async fn has(&self, trace: &str, parent_id: &str, expected: &str) -> Vec<Span> {
        eventually_ok("the spans arrive", async || {
            let mut spans = self.spans();
            spans.retain(|span| span.trace_id == trace);
            let tree = tree(&spans, parent_id);
            let lines = tree.lines().filter(|line| !line.starts_with("    GET "));
            let is_whole = spans.len() == tree.lines().count();
            if is_whole && lines.eq(expected.lines().skip(1)) {
                Ok(spans)
            } else {
                Err(tree)
            }
        })
        .await
    }

    /// Everything that was sent, as it was sent.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let shared = self.shared.lock().expect("no panic");
        shared.bodies.concat()
    }

    /// The header of the last request.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let shared = self.shared.lock().expect("no panic");
        let value = shared.headers.last()?.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    }

    /// What describes the process that sent spans.
    pub(super) fn resource(&self) -> BTreeMap<String, String> {
        self.shared.lock().expect("no panic").resource.clone()
    }
}

async fn receive(
    State(shared): State<Arc<Mutex<Shared>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut shared = shared.lock().expect("no panic");
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.unwrap_or_default();
        shared.resource = facts(resource.attributes);
        let spans = of_resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans);
        shared.spans.extend(spans.map(span));
    }
    shared.bodies.push(body);
    shared.headers.push(headers);
    StatusCode::OK
}

fn span(span: v1::Span) -> Span {
    Span {
        name: span.name,
        trace_id: hexadecimal(&span.trace_id),
        id: hexadecimal(&span.span_id),
        parent_id: hexadecimal(&span.parent_span_id),
        links: span
            .links
            .iter()
            .map(|link| hexadecimal(&link.span_id))
            .collect(),
        attributes: facts(span.attributes),
        error: span
            .status
            .filter(|status| status.code == v1::status::StatusCode::Error as i32)
            .map(|status| status.message),
        times: (span.start_time_unix_nano, span.end_time_unix_nano),
    }
}

fn facts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let facts = attributes.into_iter().map(|fact| {
        let value = match fact.value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::BoolValue(flag)) => flag.to_string(),
            other => format!("{other:?}"),
        };
        (fact.key, value)
    });
    facts.collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text");
        text
    })
}

/// The spans of a trace as a tree below the caller's span: one line for each, indented.
fn tree(spans: &[Span], parent_id: &str) -> String {
    let mut lines = String::new();
    add_below(spans, parent_id, 1, &mut lines);
    lines
}

fn add_below(spans: &[Span], parent_id: &str, depth: usize, lines: &mut String) {
    for span in spans.iter().filter(|span| span.parent_id == parent_id) {
        let fact = |name: &str| span.attributes.get(name).map(String::as_str);
        let mut line = format!("{}{}", "  ".repeat(depth), span.name);
        for (before, value) in [
            ("", fact("operation.attempt")),
            ("", fact("http.response.status_code")),
            ("", fact("operation.state")),
            ("error ", span.error.as_deref()),
        ] {
            if let Some(value) = value {
                line.extend([", ", before, value]);
            }
        }
        if fact("fineract.answer_was_stored") == Some("true") {
            line += ", stored answer";
        }
        for link in &span.links {
            let linked = spans.iter().find(|other| other.id == *link);
            let attempt = linked.and_then(|linked| linked.attributes.get("operation.attempt"));
            line.extend([", after attempt ", attempt.map_or("?", String::as_str)]);
        }
        lines.push_str(&line);
        lines.push('\n');
        add_below(spans, &span.id, depth + 1, lines);
    }
}
