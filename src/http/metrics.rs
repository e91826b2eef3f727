//! `GET /metrics`: the metrics of the process, in the text format of Prometheus.

use std::sync::Arc;

use axum::{extract::State, http::header::CONTENT_TYPE, response::IntoResponse};

use super::state::ApiState;
use crate::telemetry::metrics;

/// Renders the metrics. The route requires no token, because the metrics contain no personal data and `HTTP_LISTEN` is
/// a loopback address by default. The route has no base path, so a proxy that forwards only base paths does not expose
/// it.
pub(super) async fn report_metrics(State(api): State<Arc<ApiState>>) -> impl IntoResponse {
    api.store.report_unwritten_answers();
    let text_format = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(CONTENT_TYPE, text_format)],
        metrics::prometheus().render(),
    )
}
