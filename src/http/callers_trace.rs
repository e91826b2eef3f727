//! The trace that a request belongs to.

use std::{convert::Infallible, sync::Arc, time::Instant};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

use super::state::ApiState;
use crate::domain::{TRACEPARENT, TraceParent};

/// The caller's place in its trace, and when the request began.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallersTrace {
    /// `None` if the request has no valid `traceparent`, or several.
    pub(super) parent: Option<TraceParent>,
    pub(super) began: Instant,
}

impl FromRequestParts<Arc<ApiState>> for CallersTrace {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &Arc<ApiState>,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self {
            parent: read(&parts.headers),
            began: Instant::now(),
        })
    }
}

fn read(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    only.to_str().ok()?.trim().parse().ok()
}
