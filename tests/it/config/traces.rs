//! The settings of traces, which are OpenTelemetry's variables.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::{complaints, read};

#[test]
fn traces_are_off_unless_a_collector_is_named() {
    let traces = |changes: &[(&str, &str)]| read(changes).expect("nothing is wrong").traces;
    assert!(traces(&[]).is_none());
    let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318/");
    let read = traces(&[collector]).expect("they are on");
    assert_eq!(read.endpoint.as_str(), "https://collector:4318/v1/traces");
    assert_eq!(read.service_name, "fineract-gateway");
    assert_eq!(read.timeout, Duration::from_secs(10));
    assert!(format!("{:?}", read.sampler).starts_with("ParentBased(AlwaysOn"));
    for off in [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "none"),
    ] {
        assert!(traces(&[collector, off]).is_none(), "{off:?}");
    }
    let read = traces(&[
        collector,
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/spans"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=Bearer%20x"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=2"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=los,team=a%2Cb"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    ]);
    let read = read.expect("they are on");
    assert_eq!(read.endpoint.as_str(), "http://other/spans");
    let headers = read
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose_secret()));
    assert_eq!(headers.collect::<Vec<_>>(), [("b", "Bearer x"), ("a", "2")]);
    assert_eq!(
        (read.timeout.as_secs(), read.service_name.as_str()),
        (2, "los")
    );
    assert_eq!(read.resource, [("team".to_owned(), "a,b".to_owned())]);
    assert_eq!(format!("{:?}", read.sampler), "TraceIdRatioBased(0.25)");
}

#[test]
fn wrong_settings_of_traces_are_named_without_secrets() {
    let wrong = read(&[
        ("OTEL_SDK_DISABLED", "perhaps"),
        ("OTEL_TRACES_EXPORTER", "jaeger"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://u:hush@collector"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hush"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ]);
    let message = wrong.as_ref().expect_err("all is wrong").to_string();
    assert!(!message.contains("hush"), "{message}");
    let mut named = complaints(wrong);
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "OTEL_RESOURCE_ATTRIBUTES",
            "OTEL_SDK_DISABLED",
            "OTEL_TRACES_EXPORTER",
            "OTEL_TRACES_SAMPLER",
            "OTEL_TRACES_SAMPLER_ARG",
        ]
    );
}
