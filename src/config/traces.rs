//! Settings of traces: OpenTelemetry's own variables
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

use std::{ops::RangeInclusive, time::Duration};

use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;
use reqwest::{
    Certificate, Url,
    header::{HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    reader::Reader,
    values::{certificates, entries},
};

/// The path of spans below a general endpoint.
const PATH: &str = "v1/traces";

/// How long a collector may take to answer, in milliseconds.
const TIMEOUTS: RangeInclusive<u64> = 1..=600_000;

/// Where spans are sent, and which of them are recorded.
#[derive(Debug, Clone)]
pub struct Traces {
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces`: the collector, by OTLP
    /// over HTTP.
    pub endpoint: Url,
    /// `OTEL_EXPORTER_OTLP_TRACES_HEADERS` or `OTEL_EXPORTER_OTLP_HEADERS`: headers for the collector, such as
    /// `authorization=Bearer%20…` (none).
    pub headers: Vec<(HeaderName, SecretString)>,
    /// `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT` or `OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds (10000).
    pub timeout: Duration,
    /// `OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE` or `OTEL_EXPORTER_OTLP_CERTIFICATE`: the certificates of a private CA, from a
    /// PEM file (the system's roots).
    pub certificates: Vec<Certificate>,
    /// `OTEL_SERVICE_NAME`, or the `service.name` in `OTEL_RESOURCE_ATTRIBUTES` (`fineract-gateway`).
    pub service_name: String,
    /// `OTEL_RESOURCE_ATTRIBUTES`: what else describes this process (none).
    pub resource: Vec<(String, String)>,
    /// `OTEL_TRACES_SAMPLER` with `OTEL_TRACES_SAMPLER_ARG` (`parentbased_always_on`).
    pub sampler: Sampler,
}

impl Traces {
    /// Reads the settings. `None`: spans are not recorded, because no collector is named or because they are switched off.
    /// Unlike the specification, no collector is assumed at `localhost`.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let is_disabled = reader.boolean("OTEL_SDK_DISABLED", false);
        let exporters = [("otlp", true), ("none", false)];
        let is_wanted = reader.choice("OTEL_TRACES_EXPORTER", &exporters) != Some(false);
        for variable in [
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ] {
            reader.choice(variable, &[("http/protobuf", ())]);
        }
        let mut resource = resource(reader);
        let named = resource.iter().position(|(name, _)| name == "service.name");
        let named = named.map(|index| resource.remove(index).1);
        let service_name = reader.text("OTEL_SERVICE_NAME").or(named);
        let timeout = timeout(reader);
        let certificates = either(
            reader,
            [
                "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
            ],
            |reader, variable| Some(certificates(reader, variable)).filter(|read| !read.is_empty()),
        );
        let traces = Self {
            headers: headers(reader),
            timeout,
            certificates: certificates.unwrap_or_default(),
            service_name: service_name.unwrap_or_else(|| "fineract-gateway".to_owned()),
            resource,
            sampler: sampler(reader),
            endpoint: endpoint(reader)?,
        };
        (is_wanted && !is_disabled).then_some(traces)
    }
}

/// Reads the setting for traces, or else the one for everything that OpenTelemetry sends.
fn either<T>(
    reader: &mut Reader<'_>,
    [specific, general]: [&'static str; 2],
    read: impl Fn(&mut Reader<'_>, &'static str) -> Option<T>,
) -> Option<T> {
    read(reader, specific).or_else(|| read(reader, general))
}

fn endpoint(reader: &mut Reader<'_>) -> Option<Url> {
    let specific = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    if reader.text(specific).is_some() {
        return url(reader, specific);
    }
    let mut general = url(reader, "OTEL_EXPORTER_OTLP_ENDPOINT")?;
    general.set_path(&format!("{}/{PATH}", general.path().trim_end_matches('/')));
    Some(general)
}

fn url(reader: &mut Reader<'_>, variable: &'static str) -> Option<Url> {
    let url: Url = reader.parsed(variable, "an address such as http://collector:4318")?;
    let problem = if !matches!(url.scheme(), "http" | "https") {
        "begins with neither http:// nor https://"
    } else if !url.username().is_empty() || url.password().is_some() {
        "contains a user or a password; name a header in OTEL_EXPORTER_OTLP_HEADERS instead"
    } else {
        return Some(url);
    };
    reader.problem(variable, problem);
    None
}

fn timeout(reader: &mut Reader<'_>) -> Duration {
    let general = reader.number("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, TIMEOUTS);
    Duration::from_millis(reader.number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", general, TIMEOUTS))
}

/// Reads `name=value,…`. Values are percent-encoded.
fn headers(reader: &mut Reader<'_>) -> Vec<(HeaderName, SecretString)> {
    let mut headers = Vec::new();
    let (specific, general) = (
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_EXPORTER_OTLP_HEADERS",
    );
    for variable in [general, specific] {
        let Some(list) = reader.secret(variable) else {
            continue;
        };
        for (number, entry) in entries(list.expose_secret()) {
            let header = pair(entry).and_then(|(name, value)| {
                HeaderValue::from_str(&value).ok()?;
                Some((name.parse::<HeaderName>().ok()?, SecretString::from(value)))
            });
            match header {
                Some((name, value)) => {
                    headers.retain(|(known, _)| *known != name);
                    headers.push((name, value));
                }
                // An entry may contain a secret.
                None => reader.problem(
                    variable,
                    format!("entry {number} is not a header name=value"),
                ),
            }
        }
    }
    headers
}

/// Reads `name=value,…`. Values are percent-encoded.
fn resource(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let variable = "OTEL_RESOURCE_ATTRIBUTES";
    let list = reader.text(variable).unwrap_or_default();
    let mut attributes = Vec::new();
    for (_, entry) in entries(&list) {
        match pair(entry) {
            Some(attribute) => attributes.push(attribute),
            None => reader.problem(
                variable,
                format!("has \"{entry}\", which is not name=value"),
            ),
        }
    }
    attributes
}

fn pair(entry: &str) -> Option<(String, String)> {
    let (name, value) = entry.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
}

fn sampler(reader: &mut Reader<'_>) -> Sampler {
    type OfRoots = fn(f64) -> Sampler;
    const ON: OfRoots = |_| Sampler::AlwaysOn;
    const OFF: OfRoots = |_| Sampler::AlwaysOff;
    const RATIO: OfRoots = Sampler::TraceIdRatioBased;
    let ratio = ratio(reader, "OTEL_TRACES_SAMPLER_ARG");
    let chosen = reader.choice(
        "OTEL_TRACES_SAMPLER",
        &[
            ("always_on", (false, ON)),
            ("always_off", (false, OFF)),
            ("traceidratio", (false, RATIO)),
            ("parentbased_always_on", (true, ON)),
            ("parentbased_always_off", (true, OFF)),
            ("parentbased_traceidratio", (true, RATIO)),
        ],
    );
    let (follows_parent, of_roots) = chosen.unwrap_or((true, ON));
    let of_roots = of_roots(ratio);
    if follows_parent {
        Sampler::ParentBased(Box::new(of_roots))
    } else {
        of_roots
    }
}

/// Reads the part of the traces that is recorded.
fn ratio(reader: &mut Reader<'_>, variable: &'static str) -> f64 {
    let expected = "a number from 0 to 1";
    let ratio = reader.parsed(variable, expected).unwrap_or(1.0);
    if (0.0..=1.0).contains(&ratio) {
        return ratio;
    }
    reader.problem(variable, format!("is {ratio}, not {expected}"));
    1.0
}
