//! `GET /metrics`: the metrics of the process, in the text format of Prometheus.

use std::{fmt::Write as _, sync::Arc};

use axum::{extract::State, http::header::CONTENT_TYPE, response::IntoResponse};

use super::state::ApiState;
use crate::{store::SealMark, telemetry::metrics};

/// Renders the metrics. The route requires no token, because the metrics contain no personal data and `HTTP_LISTEN` is
/// a loopback address by default. The route has no base path, so a proxy that forwards only base paths does not expose
/// it, unless it strips them.
pub(super) async fn report_metrics(State(api): State<Arc<ApiState>>) -> impl IntoResponse {
    api.store.report_unwritten_answers();
    let mut text = metrics::prometheus().render();
    if let Some(SealMark { number, hash }) = api.store.noted_seal() {
        // A recorder keeps each label for ever, and the newest seal would be one among many.
        // Writing into a text cannot fail.
        writeln!(
            text,
            "# HELP gateway_audit_seal The newest seal of the audit, as of once an hour.\n\
             # TYPE gateway_audit_seal gauge\n\
             gateway_audit_seal{{number=\"{number}\",hash=\"{hash}\"}} 1"
        )
        .ok();
    }
    let text_format = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, text_format)], text)
}
