//! Settings with a syntax of their own: their types, parsers and rules.

use chrono_tz::Tz;
use reqwest::{Certificate, Url, header::HeaderName};
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;

use super::reader::Reader;

/// The nine values of `lenderConfig` in document 001. Each value is also the name of the lender's product.
const LENDERS: &str = "LIQUILOANS,UGRO,DMI,ARTHMATE,SHIVALIK,VIVRITI,GB,IKF,LENDINGKART";

/// The parts of the gateway that a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves the API, and works the queue (runs operations against Fineract).
    All,
    /// Only serves the API.
    Api,
    /// Only works the queue.
    Worker,
}

impl Role {
    pub(super) const CHOICES: [(&str, Self); 3] = [
        ("all", Self::All),
        ("api", Self::Api),
        ("worker", Self::Worker),
    ];

    /// The name in the setting.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }

    /// Whether the process serves callers.
    pub fn serves_api(self) -> bool {
        matches!(self, Self::All | Self::Api)
    }

    /// Whether the process runs operations against Fineract.
    pub fn works_queue(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl LogFormat {
    pub(super) const CHOICES: [(&str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}

/// Reads `UGRO,DMI=DMI Personal,…`: values of `lenderConfig`, each with the name of the lender's product if that name
/// differs from the value.
pub(super) fn lenders(reader: &mut Reader<'_>, variable: &'static str) -> Vec<(String, String)> {
    let list = reader.text(variable).unwrap_or_else(|| LENDERS.to_owned());
    let mut lenders: Vec<(String, String)> = Vec::new();
    for (_, entry) in entries(&list) {
        let (lender, product) = entry.split_once('=').unwrap_or((entry, entry));
        let (lender, product) = (lender.trim(), product.trim());
        if lender.is_empty() || product.is_empty() {
            reader.problem(
                variable,
                format!("has \"{entry}\", which is not LENDER or LENDER=product"),
            );
        } else if lenders.iter().any(|(known, _)| known == lender) {
            reader.problem(variable, format!("has {lender} twice"));
        } else {
            lenders.push((lender.to_owned(), product.to_owned()));
        }
    }
    if entries(&list).next().is_none() {
        reader.problem(variable, "has no entry");
    }
    lenders
}

/// Reads the name of a time zone.
pub(super) fn time_zone(reader: &mut Reader<'_>, variable: &'static str) -> Tz {
    reader
        .parsed(variable, "a time zone, such as Asia/Kolkata or UTC")
        .unwrap_or(Tz::UTC)
}

/// Reads a list of prefixes, such as `/api,/api/v1`, and removes their trailing slashes.
pub(super) fn base_paths(reader: &mut Reader<'_>, variable: &'static str) -> Vec<String> {
    let list = reader.text(variable).unwrap_or_default();
    let mut paths = Vec::new();
    for (_, entry) in entries(&list) {
        let path = entry.trim_end_matches('/');
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/-_.~".contains(letter);
        if !entry.starts_with('/') || path.contains("//") || !path.chars().all(is_plain) {
            reader.problem(
                variable,
                format!("has \"{entry}\", which is not a path such as /api"),
            );
        } else if paths.iter().any(|known| known == path) {
            reader.problem(variable, format!("has \"{path}\" twice"));
        } else {
            paths.push(path.to_owned());
        }
    }
    paths
}

pub(super) fn database_url(
    reader: &mut Reader<'_>,
    variable: &'static str,
) -> Option<SecretString> {
    let url = reader.secret(variable);
    reader.require(variable, url.as_ref());
    let url = url?;
    let scheme = url
        .expose_secret()
        .split_once("://")
        .map(|(scheme, _)| scheme);
    if !matches!(scheme, Some("postgres" | "postgresql")) {
        reader.problem(
            variable,
            "does not begin with postgres:// (it is not shown because it may contain a password)",
        );
    }
    Some(url)
}

/// Reads an address and ensures that its path ends with a slash.
pub(super) fn base_url(reader: &mut Reader<'_>, variable: &'static str) -> Option<Url> {
    let text = reader.text(variable)?;
    let url = match Url::parse(&text) {
        Ok(url) => url,
        Err(error) => {
            reader.problem(variable, format!("is not an address: {error}"));
            return None;
        }
    };
    let problem = if !url.username().is_empty() || url.password().is_some() {
        "contains a user or a password, which belong in FINERACT_USER and FINERACT_PASSWORD"
    } else if !matches!(url.scheme(), "http" | "https") {
        "begins with neither http:// nor https://"
    } else if url.query().is_some() || url.fragment().is_some() {
        "has a query or a fragment; it should end in /api/v1"
    } else {
        let mut url = url;
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        return Some(url);
    };
    reader.problem(variable, problem);
    None
}

pub(super) fn certificates(reader: &mut Reader<'_>, variable: &'static str) -> Vec<Certificate> {
    let Some(path) = reader.text(variable) else {
        return Vec::new();
    };
    let problem = match std::fs::read(&path).map(|pem| Certificate::from_pem_bundle(&pem)) {
        Ok(Ok(certificates)) if !certificates.is_empty() => return certificates,
        Ok(Ok(_)) => format!("names {path}, which contains no certificate in PEM format"),
        Ok(Err(error)) => format!("names {path}, which is not in PEM format: {error}"),
        Err(error) => format!("names {path}, which cannot be read: {error}"),
    };
    reader.problem(variable, problem);
    Vec::new()
}

/// Reads a text that is sent as a header.
pub(super) fn header_value(
    reader: &mut Reader<'_>,
    variable: &'static str,
    default: &str,
) -> String {
    let text = reader.text(variable).unwrap_or_else(|| default.to_owned());
    if !is_header_text(&text) {
        reader.problem(
            variable,
            "contains a blank or another character that a header cannot contain",
        );
    }
    text
}

/// Reads the name of the header for idempotency keys. It must not be a header that has another meaning.
pub(super) fn key_header(
    reader: &mut Reader<'_>,
    variable: &'static str,
    default: &'static str,
) -> Option<HeaderName> {
    const RESERVED: [&str; 12] = [
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "fineract-platform-tenantid",
        "host",
        "te",
        "transfer-encoding",
        "user-agent",
    ];
    let text = reader.text(variable).unwrap_or_else(|| default.to_owned());
    let Ok(name) = text.parse::<HeaderName>() else {
        reader.problem(
            variable,
            format!("is \"{text}\", which is not a valid name of a header"),
        );
        return None;
    };
    if RESERVED.contains(&name.as_str()) {
        reader.problem(
            variable,
            format!("is \"{text}\", a header that already has another meaning"),
        );
        return None;
    }
    Some(name)
}

pub(super) fn currency(reader: &mut Reader<'_>, variable: &'static str, default: &str) -> String {
    let text = reader.text(variable).unwrap_or_else(|| default.to_owned());
    if text.len() != 3 || !text.bytes().all(|letter| letter.is_ascii_uppercase()) {
        reader.problem(
            variable,
            format!("is \"{text}\", not a code of three letters such as INR"),
        );
    }
    text
}

pub(super) fn log_filter(reader: &mut Reader<'_>, variable: &'static str, default: &str) -> String {
    let text = reader.text(variable).unwrap_or_else(|| default.to_owned());
    if let Err(error) = EnvFilter::try_new(&text) {
        reader.problem(variable, format!("is \"{text}\", not a filter: {error}"));
    }
    text
}

/// The entries of a list, numbered from 1.
pub(super) fn entries(list: &str) -> impl Iterator<Item = (usize, &str)> {
    let entries = list
        .split([',', '\n'])
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    (1..).zip(entries)
}

pub(super) fn is_header_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_graphic())
}
