//! The operators' endpoints: one file per endpoint. All actions on single operations have the same form of answer.

mod act;
mod audit;
mod books;
mod cancel;
mod csv;
mod hold;
mod hold_all;
mod inspect;
mod lane;
mod list;
mod operator;
mod query;
mod reason;
mod repairs;
mod resolve;
mod retry;
mod run_repairs;
mod status;
mod table;
mod webhooks;

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts, Path, rejection::PathRejection},
    http::{HeaderName, HeaderValue, Uri, header::LOCATION, request::Parts},
    response::AppendHeaders,
};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

pub use self::run_repairs::run_repairs;
pub(super) use self::{
    act::act,
    audit::show_audit,
    books::{ConfirmedBody, confirm_books, confirm_number, show_books},
    cancel::cancel_operation,
    hold::{hold_operation, release_operation},
    hold_all::{HoldBody, end_hold, release_on_hold, show_hold},
    inspect::{InspectBody, LOOKED, inspect_operation},
    lane::show_lane,
    list::{CountsBody, count_operations, list_operations, operations_csv},
    operator::Ops,
    query::ListQuery,
    reason::checked_reason,
    repairs::{RepairsBody, list_repairs, post_repair, show_repair, stop_repair},
    resolve::resolve_operation,
    retry::retry_operation,
    status::{StatusBody, read_status, show_status},
    table::operators_table,
    webhooks::{WebhooksBody, show_webhooks},
};
use super::{api_error::ApiError, location, state::ApiState};
use crate::{
    domain::{OperationId, TrackingId},
    store::{Found, Inspected, TrackingName},
};

/// The operation in a path, given by its UUID or by its tracking id.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named {
    Uuid(OperationId),
    TrackingId(TrackingId),
}

impl FromRequestParts<Arc<ApiState>> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        api: &Arc<ApiState>,
    ) -> Result<Self, Self::Rejection> {
        let path: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, api).await;
        let Path(text) = path.or(Err(ApiError::MalformedTrackingId))?;
        if let Ok(tracking_id) = text.parse() {
            return Ok(Self::TrackingId(tracking_id));
        }
        Uuid::try_parse(&text)
            .map(|id| Self::Uuid(OperationId(id)))
            .or(Err(ApiError::MalformedTrackingId))
    }
}

impl Named {
    pub(super) const fn id(self) -> OperationId {
        match self {
            Self::Uuid(id) => id,
            Self::TrackingId(tracking_id) => tracking_id.id,
        }
    }

    /// Reads everything about the operation. A tracking id with the wrong operation type counts as unknown.
    pub(super) async fn inspect(self, api: &ApiState) -> Result<Inspected, ApiError> {
        let inspected = api.store.inspect(self.id()).await?;
        match inspected.filter(|operation| self.is(operation.tracking_id())) {
            Some(inspected) => Ok(inspected),
            None => Err(self.missing(api).await),
        }
    }

    /// Why there is nothing to show.
    async fn missing(self, api: &ApiState) -> ApiError {
        match api.store.dropped(&[self.id()]).await {
            Ok(dropped) => dropped
                .iter()
                .find(|dropped| self.is(&dropped.tracking_id))
                .map_or(ApiError::UnknownTrackingId, |dropped| ApiError::Dropped {
                    on: dropped.dropped_at.date_naive(),
                }),
            Err(error) => error.into(),
        }
    }

    /// Whether the path refers to the operation with this tracking id. If the path contains a tracking id, its
    /// operation type must be the same too.
    fn is(self, name: &TrackingName) -> bool {
        match self {
            Self::Uuid(_) => true,
            Self::TrackingId(tracking_id) => tracking_id.to_string() == name.to_string(),
        }
    }

    /// Reads the operation from the store. A tracking id with the wrong operation type counts as unknown.
    pub(super) async fn find(self, api: &ApiState) -> Result<Found, ApiError> {
        let found = api.store.find(self.id()).await?.filter(|found| match self {
            Self::Uuid(_) => true,
            Self::TrackingId(tracking_id) => found.tracking_id == tracking_id,
        });
        match found {
            Some(found) => Ok(found),
            None => Err(self.missing(api).await),
        }
    }
}

/// The answer to an action. Its `Location` refers to the operation.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "ActionResult")]
pub(in crate::http) struct ActionBody {
    /// The operation that runs now.
    tracking_id: TrackingId,
    /// The failed operation that it runs again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_of: Option<TrackingId>,
    /// What track answers, or `on_hold`.
    status: &'static str,
}

type ActionAnswer = (
    AppendHeaders<Option<(HeaderName, HeaderValue)>>,
    Json<ActionBody>,
);

/// Logs an action, and builds its answer.
fn answer_action(action: &'static str, uri: &Uri, body: ActionBody) -> ActionAnswer {
    tracing::info!(
        operation.id = %body.tracking_id.id,
        operation.type = %body.tracking_id.operation_type,
        action,
        "an operator acted"
    );
    // The request's path ends with `operations/{id}/{action}`.
    let location = location::relative(uri, 1, &body.tracking_id.id.to_string());
    (
        AppendHeaders(location.map(|url| (LOCATION, url))),
        Json(body),
    )
}
