//! The parsers of requests, for the targets in `fuzz/`: in no build of the product.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::{bulk, envelope, idempotency_key, json_value, prefer::Wait};
use crate::{domain::OperationType, operations::Deployment};

/// Reads the body of an operation. Returns its type and its payload, if the body is valid.
pub fn envelope<'a>(body: &'a [u8], deployment: &Deployment) -> Option<(OperationType, &'a str)> {
    let submission = envelope::read(body, deployment).ok()?;
    Some((submission.operation_type, submission.data.get()))
}

/// Reads an upload: `json`, `lines` or `csv`. Returns how many rows are valid and how many are refused, or `None` if the
/// upload cannot be read to its end.
pub fn rows(format: &str, body: &[u8], deployment: Deployment) -> Option<(usize, usize)> {
    bulk::fuzzing::rows(format, body, deployment)
}

/// Reads a `Prefer` header. Returns the text of the header of the answer that names the wait.
pub fn wait(value: &[u8]) -> Option<String> {
    let wait = Wait::read(&headers("prefer", value)?);
    let (_, applied) = wait.applied()?;
    applied.to_str().ok().map(str::to_owned)
}

/// Reads an `Idempotency-Key` header.
pub fn idempotency_key(value: &[u8]) -> Option<String> {
    let headers = headers("idempotency-key", value)?;
    idempotency_key::read(&headers).ok().flatten()
}

/// The digest of a JSON value, however it is written.
pub fn json_digest(body: &[u8]) -> Option<[u8; 32]> {
    json_value::digest(body)
}

fn headers(name: &'static str, value: &[u8]) -> Option<HeaderMap> {
    let value = HeaderValue::from_bytes(value).ok()?;
    Some(HeaderMap::from_iter([(
        HeaderName::from_static(name),
        value,
    )]))
}
