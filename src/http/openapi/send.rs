//! `GET /openapi.json`.

use axum::{
    Extension,
    body::Bytes,
    http::{HeaderName, header::CONTENT_TYPE},
};

/// The document as JSON text.
#[derive(Clone, Debug)]
pub(in crate::http) struct Document(pub(in crate::http) Bytes);

/// Sends the document. It needs no token, because it contains nothing about this deployment except the names of its
/// lenders, which callers have to know.
pub(in crate::http) async fn send_document(
    Extension(Document(document)): Extension<Document>,
) -> ([(HeaderName, &'static str); 1], Bytes) {
    ([(CONTENT_TYPE, "application/json")], document)
}
