//! Health, metrics and the document itself: routes without a credential.

use serde_json::{Value, json};

use super::{
    endpoint::{Endpoint, Row, media},
    schemas::Schemas,
};
use crate::http::{
    api_error::ApiError,
    health::{Liveness, Readiness},
};

/// The routes that need no credential.
pub(super) const TABLE: &[Row] = &[
    ("GET /healthz", liveness),
    ("GET /readyz", readiness),
    ("GET /metrics", metrics),
    ("GET /openapi.json", document),
];

fn liveness(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<Liveness>();
    Endpoint::new(
        "reportLiveness",
        "Whether the process is alive",
        "Answers as long as the process is alive, whatever the state of the database and of Fineract.",
    )
    .answers(200, "The process is alive.", body, Value::Null)
    .refuses([ApiError::Panicked])
}

fn readiness(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<Readiness>();
    Endpoint::new(
        "reportReadiness",
        "Whether to send requests to the process",
        "The process is not ready while the database is unavailable or not migrated, and during shutdown. The state of \
         Fineract does not matter, because the gateway accepts operations without Fineract.",
    )
    .answers(200, "The process is ready.", body.clone(), Value::Null)
    .answers(503, "The process is not ready.", body, Value::Null)
    .refuses([ApiError::Panicked])
}

fn metrics(_: &mut Schemas<'_>) -> Endpoint {
    let text = media(json!({ "type": "string" }), Value::Null);
    Endpoint::new(
        "reportMetrics",
        "The metrics of the process",
        "The metrics in the text format of Prometheus. This route has no base path.",
    )
    .answers_as(200, "The metrics.", "text/plain", text)
    .refuses([ApiError::Panicked])
}

fn document(_: &mut Schemas<'_>) -> Endpoint {
    let body = json!({ "type": "object", "required": ["openapi", "info", "paths"] });
    Endpoint::new(
        "readApiDocument",
        "This document",
        "Describes the routes that this gateway serves, with the names of its lenders.",
    )
    .answers(200, "The document.", body, Value::Null)
    .refuses([ApiError::Panicked])
}
