//! The body of a request whose `Content-Type` is JSON.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
};
use serde::de::DeserializeOwned;

use super::{
    api_error::ApiError,
    body::{BODY_LIMIT, read_body},
};
use crate::table::without_byte_order_mark;

/// The bytes of a body whose content type is `application/json`.
#[derive(Debug)]
pub(super) struct JsonBody(pub(super) Bytes);

impl JsonBody {
    /// Deserializes the body, which must be an object. If the body is JSON but not a `T`, the error is a problem with
    /// `code`, and with `must` as its message.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        code: &'static str,
        must: &str,
    ) -> Result<T, ApiError> {
        // serde also reads the fields of a struct from an array.
        let is_object = self.0.trim_ascii_start().starts_with(b"{");
        match serde_json::from_slice(&self.0) {
            Ok(read) if is_object => Ok(read),
            Err(error) if !error.is_data() => Err(ApiError::BrokenJson(error)),
            Ok(_) | Err(_) => Err(ApiError::invalid("", code, must)),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        if !is_json(request.headers()) {
            return Err(ApiError::NotJson);
        }
        check_coding(request.headers())?;
        let body = read_body(request, state, BODY_LIMIT).await?;
        Ok(Self(body.slice_ref(without_byte_order_mark(&body))))
    }
}

/// Refuses any `Content-Encoding` except `identity`. The gateway does not decode bodies, so it would report a
/// compressed body as broken JSON.
pub(super) fn check_coding(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        Ok(())
    } else {
        Err(ApiError::EncodedBody)
    }
}

/// Whether the `Content-Type` is JSON. Parameters of the media type, such as a charset, are ignored, because JSON is
/// always UTF-8 (RFC 8259 section 8.1).
fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok()?.split(';').next())
        .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Optional {
        reason: Option<String>,
    }

    #[test]
    fn a_struct_is_read_from_an_object_only() {
        for (body, is_read) in [
            ("{}", true),
            (" \n{\"reason\": null}", true),
            ("[null]", false),
            ("[]", false),
            ("null", false),
            ("{", false),
        ] {
            let read = JsonBody(Bytes::from(body)).read::<Optional>("code", "must");
            let read = read.is_ok_and(|read| read.reason.is_none());
            assert_eq!(read, is_read, "{body}");
        }
    }
}
