//! The log of deliveries.

use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::IntoResponse,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoints::DeliveryId;
use crate::{
    http::{
        access::Caller,
        api_error::ApiError,
        parameters::{one_of, read_parameters},
        state::ApiState,
    },
    store::{Delivery, DeliveryFilter, DeliveryState},
};

const DEFAULT_LIMIT: i64 = 100;
pub(in crate::http) const LARGEST_LIMIT: i64 = 500;

/// Deliveries, the newest first.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "WebhookDeliveries")]
pub(in crate::http) struct DeliveriesBody {
    /// The deliveries.
    deliveries: Vec<DeliveryBody>,
    /// The `before` of the next page; `None` on the last one.
    next: Option<i64>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "WebhookDelivery")]
struct DeliveryBody {
    /// What has become of it.
    state: DeliveryState,
    #[serde(flatten)]
    delivery: Delivery,
}

/// Lists deliveries to the owner's endpoints.
pub(super) async fn list_deliveries(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<DeliveriesBody>, ApiError> {
    let Query(pairs) = query.or(Err(ApiError::InvalidQuery(Vec::new())))?;
    let (filter, limit) = read_query(&pairs)?;
    let deliveries = api
        .store
        .webhook_deliveries(Some(&owner), filter, limit)
        .await?;
    let is_full = i64::try_from(deliveries.len()).is_ok_and(|count| count == limit);
    let next = deliveries
        .last()
        .map(|delivery| delivery.id)
        .filter(|_| is_full);
    let deliveries = deliveries.into_iter().map(|delivery| DeliveryBody {
        state: delivery.state(),
        delivery,
    });
    Ok(Json(DeliveriesBody {
        deliveries: deliveries.collect(),
        next,
    }))
}

/// Reads the query. The error lists every parameter that is unknown, repeated or wrong.
fn read_query(pairs: &[(String, String)]) -> Result<(DeliveryFilter, i64), ApiError> {
    let (mut filter, mut limit) = (DeliveryFilter::default(), DEFAULT_LIMIT);
    read_parameters(pairs, |name, value| {
        match name {
            "endpoint_id" => {
                let id = value.parse();
                filter.endpoint = Some(id.or(Err("must be the id of an endpoint"))?);
            }
            "state" => {
                let state = one_of(value, &DeliveryState::ALL, DeliveryState::as_str);
                filter.state = Some(state?);
            }
            "before" => {
                let before = value.parse();
                filter.before = Some(before.or(Err("must be the next of another page"))?);
            }
            "limit" => {
                let asked = value.parse().ok();
                let asked = asked.filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
                limit = asked.ok_or("must be a whole number from 1 to 500")?;
            }
            _ => return Err("is not a parameter of this list".to_owned()),
        }
        Ok(())
    })?;
    Ok((filter, limit))
}

/// Sends a delivery again, also one that was delivered or given up.
pub(super) async fn resend_delivery(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Path(delivery_id) = id.or(Err(ApiError::UnknownDelivery))?;
    if api.store.resend_webhook(&owner, delivery_id).await? {
        Ok((StatusCode::ACCEPTED, Json(DeliveryId { delivery_id })))
    } else {
        Err(ApiError::UnknownDelivery)
    }
}
