//! The operators' page at `/ops`: HTML from templates, which works without JavaScript.
//!
//! The page reads and acts by the same functions as the operators' API. It differs from the API in how an operator is
//! known (a session instead of a header) and in its form (HTML instead of JSON).

mod act;
mod action;
mod assets;
mod audit;
mod batches;
mod charts;
mod choice;
mod cookie;
mod errors;
mod explain;
mod filter;
mod form;
mod format;
mod frame;
mod in_fineract;
mod json;
mod keys;
mod lane;
mod list;
mod live;
mod need;
mod needs;
mod operation;
mod pretty;
mod reasons;
mod render;
mod repair;
mod row;
mod session;
mod sign_in;
mod start;
mod state;
mod system;
mod timeline;
mod views;
mod webhooks;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{
        HeaderName, HeaderValue,
        header::{
            CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing::{get, post},
};

pub use self::{reasons::explains, state::Page};
use super::{
    access::authorize,
    api_error::{ApiError, catch_panics},
    need::Need,
    state::ApiState,
};
use crate::{domain::Scope, store::RepairAction};

/// What a browser may load and where it may send forms: only to this gateway.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const X_OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The routes of the page. They render their errors as HTML.
pub(super) fn routes(api: &Arc<ApiState>) -> Router<Arc<ApiState>> {
    signing_in(api)
        .merge(showing())
        .merge(acting())
        .route("/ops/assets/{name}", get(assets::send))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(catch_panics())
        .layer(from_fn(errors::render_errors))
        .layer(from_fn(protect))
}

fn signing_in(api: &Arc<ApiState>) -> Router<Arc<ApiState>> {
    // Whoever asks for a link has no session, and sends the token as for the API.
    let need: Need = &[Scope::OpsRead];
    let authorize = from_fn_with_state((Arc::clone(api), need), authorize::<ApiError>);
    Router::new()
        .route(
            "/ops/sign-in",
            get(sign_in::show_form).post(sign_in::sign_in),
        )
        .route(
            "/ops/sign-in-links",
            post(sign_in::make_link).route_layer(authorize),
        )
        .route(
            "/ops/sign-in/{link}",
            get(sign_in::show_link).post(sign_in::use_link),
        )
        .route("/ops/sign-out", post(sign_in::sign_out))
        .route(
            "/ops/sign-out-everywhere",
            post(sign_in::sign_out_everywhere),
        )
}

fn showing() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/ops", get(start::show))
        .route("/ops/operations", get(list::show))
        .route("/ops/operations.csv", get(list::download))
        .route("/ops/operations/{id}", get(operation::show))
        .route("/ops/lanes/{lane}", get(lane::show))
        .route("/ops/batches", get(batches::list))
        .route("/ops/batches/{id}", get(batches::show))
        .route("/ops/repairs", get(repair::list))
        .route("/ops/repairs/{id}", get(repair::show))
        .route("/ops/audit", get(audit::show))
        .route("/ops/system", get(system::show))
        .route("/ops/webhooks", get(webhooks::list))
        .route("/ops/webhooks/{id}", get(webhooks::show))
        .route("/ops/keys", get(keys::list))
        .route("/ops/keys/{id}", get(keys::show))
        .route("/ops/live", get(live::stream_changes))
}

fn acting() -> Router<Arc<ApiState>> {
    let act = |action| post(move |api, named, form| act::act(action, api, named, form));
    Router::new()
        .route("/ops/operations/{id}/reveal", post(operation::reveal))
        .route("/ops/operations/{id}/ask", post(operation::ask))
        .route("/ops/operations/{id}/retry", act(RepairAction::Retry))
        .route("/ops/operations/{id}/resolve", act(RepairAction::Resolve))
        .route("/ops/operations/{id}/cancel", act(RepairAction::Cancel))
        .route("/ops/operations/{id}/hold", act(RepairAction::Hold))
        .route("/ops/operations/{id}/release", act(RepairAction::Release))
        .route("/ops/repairs/preview", post(repair::preview))
        .route("/ops/repairs/start", post(repair::start))
        .route("/ops/repairs/{id}/stop", post(repair::stop))
        .route("/ops/webhooks/{id}/resend", post(webhooks::resend))
        .route("/ops/keys/create", post(keys::create))
        .route("/ops/keys/{id}/rotate", post(keys::rotate))
        .route("/ops/keys/{id}/revoke", post(keys::revoke))
        .route("/ops/views/save", post(views::save))
        .route("/ops/views/remove", post(views::remove))
}

/// Adds the headers that tell the browser what the page may do.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with it, browsers send forms with `Origin: null`, which `form` refuses.
        (REFERRER_POLICY, "same-origin"),
        (X_OPENER, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
