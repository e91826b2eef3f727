//! The caller's own `Idempotency-Key`, and the body that it identifies.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderName},
};
use sha2::{Digest as _, Sha256};

use super::{api_error::ApiError, json_body::JsonBody, json_value};
use crate::store::{BodyDigest, CallerKey};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const LONGEST: usize = 255;

/// A JSON body, and the key that the caller sent with it.
#[derive(Debug)]
pub(super) struct KeyedBody {
    /// The body.
    pub(super) body: Bytes,
    /// The key, with the digest of the body.
    pub(super) caller_key: Option<CallerKey>,
}

impl<S: Send + Sync> FromRequest<S> for KeyedBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let key = read(request.headers())?;
        let JsonBody(body) = JsonBody::from_request(request, state).await?;
        let caller_key = key.map(|key| CallerKey {
            key,
            digest: BodyDigest {
                bytes: Sha256::digest(&body).into(),
                value: json_value::digest(&body),
            },
        });
        Ok(Self { body, caller_key })
    }
}

/// Reads the key: 1 to 255 visible ASCII characters. The IETF draft (draft-ietf-httpapi-idempotency-key-header) puts
/// the key in quotes. The gateway removes the quotes. So a client that begins to send quotes still sends the same key.
pub(super) fn read(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(ApiError::InvalidIdempotencyKey);
    }
    let value = value.to_str().or(Err(ApiError::InvalidIdempotencyKey))?;
    let key = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value);
    if (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Some(key.to_owned()))
    } else {
        Err(ApiError::InvalidIdempotencyKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_and_its_quotes_are_not_part_of_it() {
        let longest = "k".repeat(255);
        let too_long = "k".repeat(256);
        for (values, expected) in [
            (vec![], Some(None)),
            (vec!["order-1"], Some(Some("order-1"))),
            (vec!["\"order-1\""], Some(Some("order-1"))),
            (vec!["\""], Some(Some("\""))),
            (vec![longest.as_str()], Some(Some(longest.as_str()))),
            (vec![too_long.as_str()], None),
            (vec![""], None),
            (vec!["\"\""], None),
            (vec!["order 1"], None),
            (vec!["ordér"], None),
            (vec!["order-1", "order-2"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(HEADER, value.parse().unwrap());
            }
            let read = read(&headers).ok();
            assert_eq!(read.as_ref().map(Option::as_deref), expected, "{values:?}");
        }
    }
}
