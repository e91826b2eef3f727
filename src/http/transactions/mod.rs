//! `GET /transactions/{id}/` (document 003).
//!
//! A transaction is an operation that moves money. Document 003 also defines the API keys, their rate limit and the
//! format of the errors.

mod body;
mod budget;
mod error;
mod status;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{Method, request::Parts},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};
use uuid::Uuid;

pub use self::budget::Budgets;
pub(super) use self::{
    body::TransactionBody,
    error::{TransactionErrorBody, refusals},
};
use self::{budget::Allowance, error::TransactionError};
use super::{
    access::{Caller, authenticate},
    api_error::{ApiError, catch_panics},
    need::Need,
    route_table::{Table, router_of},
    state::ApiState,
};
use crate::{
    domain::{Direction, OperationId, OperationType, Scope, TrackingId},
    operations,
    store::StoreError,
};

const NEED: Need = &[Scope::Transactions];

/// The route of transactions.
pub(super) fn table() -> Table {
    vec![(
        Method::GET,
        "/transactions/{id}",
        NEED,
        get(read_transaction),
    )]
}

/// The router. Each request counts against the budget of its API key.
pub(super) fn routes(api: &Arc<ApiState>) -> Router<Arc<ApiState>> {
    router_of(table())
        .layer(from_fn_with_state(Arc::clone(api), meter))
        .layer(catch_panics())
        .layer(from_fn(error::render_errors))
}

/// Authenticates the API key, counts the request, and adds the remaining budget to every answer.
async fn meter(State(api): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let (admission, allowance) = admit(&api, &mut parts).await;
    let mut response = match admission {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => error.into_response(),
    };
    allowance.write(response.headers_mut());
    response
}

async fn admit(api: &ApiState, request: &mut Parts) -> (Result<(), TransactionError>, Allowance) {
    let caller = match authenticate(api, request, NEED) {
        Ok(caller) => caller,
        Err(refusal) => return (Err(refusal.into()), Allowance::none()),
    };
    let key = caller.budget();
    request.extensions.insert(caller);
    match api.budgets.spend(&api.store, &key).await {
        Ok((true, allowance)) => (Ok(()), allowance),
        Ok((false, allowance)) => {
            let retry_after = allowance.seconds();
            (
                Err(TransactionError::RateLimited { retry_after }),
                allowance,
            )
        }
        Err(error) => (Err(error.into()), Allowance::none()),
    }
}

/// Reports the state of a transaction. Another owner's is unknown.
async fn read_transaction(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<TransactionBody>, TransactionError> {
    let Path(id) = path.or(Err(TransactionError::InvalidId))?;
    let named = Named::read(&id).ok_or(TransactionError::InvalidId)?;
    let unknown = || TransactionError::NotFound(named.id);
    let read = api.store.money_movement(named.id).await?;
    let read =
        read.filter(|read| named.is(read.tracking_id) && caller.may_read_transaction(&read.caller));
    let Some(read) = read else {
        return Err(named.missing(&caller, &api).await?);
    };
    if read.is_marked {
        api.store.record_failures_read(&[named.id.0]).await?;
    }
    let tracking_id = read.tracking_id;
    let entry = operations::entry(tracking_id.operation_type).ok_or_else(unknown)?;
    let movement = (entry.moves)(&read.payload, &api.deployment)
        .or(Err(StoreError::Unknown { what: "payload" }))?
        .ok_or_else(unknown)?;
    let is_under_way = movement.direction == Direction::Withdrawal && !read.progress.state.is_end();
    let estimated_end = if is_under_way {
        api.store.estimated_end(tracking_id.operation_type).await?
    } else {
        None
    };
    let body = TransactionBody::new(&read, movement, &api.currency, estimated_end);
    Ok(Json(body))
}

/// The transaction in a path, given by its UUID or by its tracking id.
#[derive(Clone, Copy, Debug)]
struct Named {
    id: OperationId,
    tracking_id: Option<TrackingId>,
}

impl Named {
    fn read(text: &str) -> Option<Self> {
        let tracking_id = text.parse::<TrackingId>().ok();
        let id = match tracking_id {
            Some(tracking_id) => tracking_id.id,
            None => OperationId(Uuid::try_parse(text).ok()?),
        };
        Some(Self { id, tracking_id })
    }

    /// Why there is nothing to show.
    async fn missing(
        &self,
        caller: &Caller,
        api: &ApiState,
    ) -> Result<TransactionError, StoreError> {
        let dropped = api.store.dropped(&[self.id]).await?;
        let dropped = dropped.iter().find(|dropped| {
            let tracking_id = dropped.known_tracking_id();
            tracking_id.is_some_and(|tracking_id| {
                self.is(tracking_id)
                    && OperationType::PAYMENTS.contains(&tracking_id.operation_type)
            }) && caller.may_read_transaction(&dropped.caller)
        });
        Ok(
            dropped.map_or(TransactionError::NotFound(self.id), |dropped| {
                let on = dropped.dropped_at.date_naive();
                ApiError::Dropped { on }.into()
            }),
        )
    }

    fn is(&self, tracking_id: TrackingId) -> bool {
        self.tracking_id.is_none_or(|named| named == tracking_id)
    }
}
