//! Spans, and the traces that they belong to.

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    KeyValue, Value,
    trace::{Link, SpanKind, Status},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::recorder::{Recorder, of};
use crate::{
    domain::{OperationId, TraceParent},
    telemetry::wall_clock,
};

tokio::task_local! {
    /// The span that runs in this task. `None`: nothing here belongs to a trace.
    static CURRENT: Option<TraceParent>;
}

/// Runs `work` so that the calls in it belong to this span.
pub async fn within<F: Future>(span: Option<TraceParent>, work: F) -> F::Output {
    CURRENT.scope(span, work).await
}

/// The trace of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    /// The operation.
    pub operation: OperationId,
    /// The caller's place in its own trace.
    pub caller: Option<TraceParent>,
}

impl Trace {
    /// The id of the trace: the caller's, or else the operation's own.
    fn id(self) -> u128 {
        let own = self.operation.0.as_u128();
        self.caller.map_or(own, |caller| caller.trace_id)
    }

    /// The id of the span of an attempt. It follows from the operation's id, so that the next attempt, which another process
    /// may run, can link to it. The last 62 bits of a UUID are random, and the two before them are `10`, so
    /// it is never zero.
    fn span_of_attempt(self, attempt: i32) -> u64 {
        let (_, random) = self.operation.0.as_u64_pair();
        random.wrapping_add(u64::from(attempt.unsigned_abs()))
    }

    /// Begins a span of this trace.
    pub fn begin(self, kind: SpanKind, name: fmt::Arguments<'_>) -> Span {
        Span::begin(self.id(), self.caller, fastrand::u64(1..), (kind, name))
    }

    /// Begins the span of an attempt. It links to the attempt before it.
    pub fn begin_attempt(self, attempt: i32, name: fmt::Arguments<'_>) -> Span {
        let span_id = self.span_of_attempt(attempt);
        let mut span = Span::begin(self.id(), self.caller, span_id, (SpanKind::Consumer, name));
        if let Some(recorded) = span.recorded.as_mut().filter(|_| attempt > 1) {
            let before = of(TraceParent {
                trace_id: self.id(),
                span_id: self.span_of_attempt(attempt - 1),
                is_sampled: true,
            });
            recorded.links.links.push(Link::with_context(before));
        }
        span
    }
}

/// A part of what happens, from its beginning until it is dropped.
#[derive(Debug, Default)]
pub struct Span {
    /// What is passed on to whoever takes part. `None`: this belongs to no trace.
    context: Option<TraceParent>,
    /// `None`: the span is not recorded.
    recorded: Option<Box<SpanData>>,
}

impl Span {
    fn begin(
        trace_id: u128,
        parent: Option<TraceParent>,
        span_id: u64,
        (kind, name): (SpanKind, fmt::Arguments<'_>),
    ) -> Self {
        let Some(recorder) = Recorder::of_process() else {
            return Self {
                context: parent,
                recorded: None,
            };
        };
        let name = name.to_string();
        let is_sampled = recorder.records(trace_id, parent, &name, &kind);
        let context = TraceParent {
            trace_id,
            span_id,
            is_sampled,
        };
        Self {
            context: Some(context),
            recorded: is_sampled.then(|| Box::new(data(recorder, context, parent, (kind, name)))),
        }
    }

    /// Begins a span of a call to another program, as a part of the span that runs in this task. If none does, the call
    /// belongs to no trace.
    pub fn begin_call(name: fmt::Arguments<'_>) -> Self {
        match CURRENT.try_with(|current| *current).ok().flatten() {
            Some(current) => {
                let (trace_id, span_id) = (current.trace_id, fastrand::u64(1..));
                let mut span =
                    Self::begin(trace_id, Some(current), span_id, (SpanKind::Client, name));
                if let Some(recorded) = &mut span.recorded {
                    recorded.parent_span_is_remote = false;
                }
                span
            }
            None => Self::default(),
        }
    }

    /// The span for a `traceparent` to the program that is called. `None`: no such header is sent.
    pub fn context(&self) -> Option<TraceParent> {
        self.context
    }

    /// Moves the beginning to the time this long ago.
    #[must_use]
    pub fn begun(mut self, ago: Duration) -> Self {
        if let Some(recorded) = &mut self.recorded {
            recorded.start_time = recorded
                .start_time
                .checked_sub(ago)
                .unwrap_or(recorded.start_time);
        }
        self
    }

    /// Adds a fact: a code or a number that says nothing about a person.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(recorded) = &mut self.recorded {
            recorded.attributes.push(KeyValue::new(name, value));
        }
    }

    /// As [`Span::set`], for what is made a text only if the span is recorded.
    pub fn set_text(&mut self, name: &'static str, value: impl fmt::Display) {
        if self.recorded.is_some() {
            self.set(name, value.to_string());
        }
    }

    /// Adds the status of an HTTP answer.
    pub fn set_status(&mut self, status: u16) {
        self.set("http.response.status_code", i64::from(status));
        // By OpenTelemetry's conventions, a wrong request is no failure of the server.
        let kind = self.recorded.as_ref().map(|span| &span.span_kind);
        let fails_from = if kind == Some(&SpanKind::Server) {
            500
        } else {
            400
        };
        if status >= fails_from {
            self.fail(format_args!("status_{status}"));
        }
    }

    /// Records that this went wrong. `reason`: a stable code.
    pub fn fail(&mut self, reason: impl fmt::Display) {
        self.set_text("error.type", &reason);
        if let Some(recorded) = &mut self.recorded {
            recorded.status = Status::error(reason.to_string());
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let (Some(mut recorded), Some(recorder)) = (self.recorded.take(), Recorder::of_process())
        {
            recorded.end_time = now();
            recorder.record(*recorded);
        }
    }
}

fn data(
    recorder: &Recorder,
    context: TraceParent,
    parent: Option<TraceParent>,
    (span_kind, name): (SpanKind, String),
) -> SpanData {
    let now = now();
    SpanData {
        span_context: of(context),
        parent_span_id: parent.map_or(0, |parent| parent.span_id).into(),
        parent_span_is_remote: parent.is_some(),
        span_kind,
        name: Cow::Owned(name),
        start_time: now,
        end_time: now,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: recorder.scope.clone(),
    }
}

fn now() -> SystemTime {
    wall_clock().into()
}
