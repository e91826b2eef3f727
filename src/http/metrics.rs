//! `GET /metrics`: the process's numbers, as Prometheus reads them.

use std::sync::Arc;

use axum::{extract::State, http::header::CONTENT_TYPE, response::IntoResponse};

use super::state::ApiState;
use crate::telemetry::metrics;

/// Gives the numbers. No token is asked for: they hold nobody's data, `HTTP_LISTEN` is a loopback address
/// unless it is set, and the route does not stand under a base path, so that a proxy that passes those
/// on keeps it inside.
pub(super) async fn report_metrics(State(api): State<Arc<ApiState>>) -> impl IntoResponse {
    api.store.report_unwritten_answers();
    let text_format = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(CONTENT_TYPE, text_format)],
        metrics::prometheus().render(),
    )
}
