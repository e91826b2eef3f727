//! Decides which spans are recorded, and hands these to OpenTelemetry's exporter, which sends them in batches on a thread
//! of its own.

use std::{collections::HashMap, io, sync::OnceLock, time::Duration};

use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    resource::TelemetryResourceDetector,
    trace::{
        BatchSpanProcessor, Sampler, SamplingDecision, ShouldSample as _, SpanData,
        SpanProcessor as _,
    },
};
use secrecy::ExposeSecret as _;

use crate::{config, domain::TraceParent, telemetry::chain, tls};

/// The reason why traces cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The client for the collector cannot be created.
    #[error(
        "cannot create the client for the collector of traces (are the system's CA certificates installed?)"
    )]
    Client(#[source] reqwest::Error),
    /// A setting of OpenTelemetry is wrong.
    #[error("cannot set up the exporter of traces")]
    Exporter(#[source] ExporterBuildError),
    /// The thread that creates the client cannot be started.
    #[error("cannot start a thread for traces")]
    Thread(#[source] io::Error),
}

/// The recorder of the process. Empty if traces are off.
static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// Records spans.
#[derive(Debug)]
pub(super) struct Recorder {
    processor: BatchSpanProcessor,
    sampler: Sampler,
    pub(super) scope: InstrumentationScope,
}

impl Recorder {
    /// Must not be called in a task.
    pub(super) fn start(settings: &config::Traces) -> Result<Self, TracesError> {
        let headers = settings
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.expose_secret().to_owned()));
        let mut client = tls::blocking_http_client()
            // A redirect could send the headers, which may be secrets, to another host.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(settings.timeout);
        if !settings.certificates.is_empty() {
            client = client.tls_certs_merge(settings.certificates.iter().cloned());
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client.build().map_err(TracesError::Client)?)
            .with_endpoint(settings.endpoint.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(settings.timeout)
            .with_headers(headers.collect::<HashMap<_, _>>())
            .build()
            .map_err(TracesError::Exporter)?;
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        processor.set_resource(&resource(settings));
        let version = env!("CARGO_PKG_VERSION");
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(version);
        Ok(Self {
            processor,
            sampler: settings.sampler.clone(),
            scope: scope.build(),
        })
    }

    /// Makes this the recorder of the process; only the first call has an effect.
    pub(super) fn install(self) {
        RECORDER.get_or_init(|| self);
    }

    /// The recorder of the process; `None` if traces are off.
    pub(super) fn of_process() -> Option<&'static Self> {
        RECORDER.get()
    }

    /// Whether a new span of this trace is recorded.
    pub(super) fn records(
        &self,
        trace_id: u128,
        parent: Option<TraceParent>,
        name: &str,
        kind: &SpanKind,
    ) -> bool {
        let parent = parent.map(|parent| Context::new().with_remote_span_context(of(parent)));
        let trace_id = TraceId::from(trace_id);
        let sampled = self
            .sampler
            .should_sample(parent.as_ref(), trace_id, name, kind, &[], &[]);
        sampled.decision == SamplingDecision::RecordAndSample
    }

    /// Takes a span that has ended. If the collector is slow or gone, spans are lost, but nothing waits.
    pub(super) fn record(&self, span: SpanData) {
        self.processor.on_end(span);
    }

    pub(super) fn shut_down(&self, timeout: Duration) {
        if let Err(error) = self.processor.shutdown_with_timeout(timeout) {
            tracing::warn!(error = %chain(&error), "the last spans could not be sent");
        }
    }
}

/// What describes this process.
fn resource(settings: &config::Traces) -> Resource {
    let attributes = settings.resource.iter();
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(attributes.map(|(name, value)| KeyValue::new(name.clone(), value.clone())))
        .with_service_name(settings.service_name.clone())
        .build()
}

/// The span as OpenTelemetry names it.
pub(super) fn of(span: TraceParent) -> SpanContext {
    let flags = TraceFlags::default().with_sampled(span.is_sampled);
    SpanContext::new(
        TraceId::from(span.trace_id),
        SpanId::from(span.span_id),
        flags,
        true,
        TraceState::default(),
    )
}
