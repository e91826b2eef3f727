//! `GET /fineract/lanes/{lane}`: the whole story of a client or a loan.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};

use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::LaneStory,
};

/// Shows a lane with its operations in their order.
pub(in crate::http) async fn show_lane(
    State(api): State<Arc<ApiState>>,
    lane: Result<Path<String>, PathRejection>,
) -> Result<Json<LaneStory>, ApiError> {
    let Path(lane) = lane.or(Err(ApiError::UnknownLane))?;
    // Postgres has no texts with NUL.
    if lane.contains('\0') {
        return Err(ApiError::UnknownLane);
    }
    let story = api.store.lane_story(&lane).await?;
    story.map(Json).ok_or(ApiError::UnknownLane)
}
