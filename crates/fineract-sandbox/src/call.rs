//! An HTTP request, before the sandbox has determined which command or read the request asks for.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};

use super::failure::{Failure, standard};
use super::json::{Json, Unreadable};
use super::params::Params;
use super::reply::Reply;

/// The base path of Fineract's API.
pub(super) const API: &str = "/fineract-provider/api/v1";

/// A request to Fineract's API.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    pub(super) body: String,
}

impl Call {
    pub(super) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: String) -> Self {
        let pairs = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        let query = pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| {
                (
                    decoded(&name.replace('+', " ")),
                    decoded(&value.replace('+', " ")),
                )
            })
            .collect();
        Self {
            method,
            path: uri.path().to_owned(),
            query,
            headers,
            body,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn query_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self.method, Method::POST | Method::PUT | Method::DELETE)
    }

    /// Whether the request has a JSON Content-Type. The result is `false` for a request without a Content-Type,
    /// although Fineract reads the body of such a request as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.header(CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.starts_with("application/json"))
    }

    pub(super) fn has_wrong_type(&self) -> bool {
        self.headers.contains_key(CONTENT_TYPE) && !self.is_json() && !self.body.is_empty()
    }

    /// The members of the JSON object in the body. An empty body is an error, except for a DELETE.
    pub(super) fn params(&self, action: &str) -> Result<Params, Failure> {
        if self.body.trim().is_empty() {
            return match (&self.method, action) {
                (&Method::DELETE, _) => Ok(Params::default()),
                (_, "DISBURSALUNDO") => Err(Failure::Unmapped("no body".to_owned())),
                _ => Err(Failure::UnreadableBody),
            };
        }
        match Json::parse(&self.body) {
            Ok(Json::Object(object)) => Ok(Params(object)),
            Ok(Json::Null) => Err(Failure::Unmapped("null".to_owned())),
            Ok(Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_))
            | Err(Unreadable::RepeatedKey) => Err(Failure::NoObject),
            Err(Unreadable::Broken) => Err(Failure::UnreadableBody),
        }
    }

    /// The percent-decoded segments of the path below [`API`]. `None` if the path does not begin with [`API`].
    pub(super) fn segments(&self) -> Option<Vec<String>> {
        let below = self.path.strip_prefix(API)?.strip_prefix('/')?;
        Some(
            below
                .trim_end_matches('/')
                .split('/')
                .map(decoded)
                .collect(),
        )
    }

    /// The refusal, if the path contains a character that Tomcat or Spring does not accept
    /// (`docs/fineract/commands.md`, "Refused before any resource is reached").
    pub(super) fn refused_path(&self) -> Option<Reply> {
        let path = self.path.to_ascii_uppercase();
        if ["%2F", "%5C", "%00", "\\"]
            .iter()
            .any(|bad| path.contains(bad))
        {
            return Some(Reply::html(StatusCode::BAD_REQUEST));
        }
        let bad = ["%3B", ";", "%25", "%0A"]
            .iter()
            .any(|bad| path.contains(bad));
        bad.then(|| standard(StatusCode::BAD_REQUEST, &self.path))
    }
}

/// Percent-decodes a text. An invalid percent code remains unchanged.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
