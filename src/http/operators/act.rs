//! One action on one operation: what repairs and the page do.

use super::retry::retry;
use crate::{
    domain::TrackingId,
    http::{api_error::ApiError, state::ApiState},
    store::{Found, Operator, RepairAction, RepairOptions},
};

/// Performs an action on an operation. Returns the operation that runs now: for a failed operation that is retried, a new
/// one.
pub(in crate::http) async fn act(
    api: &ApiState,
    found: &Found,
    (action, options): (RepairAction, &RepairOptions),
    operator: &Operator,
) -> Result<TrackingId, ApiError> {
    let store = &api.store;
    match action {
        RepairAction::Retry => return retry(api, found, options.expires_at, operator).await,
        RepairAction::Cancel => store.cancel(found, operator).await?,
        RepairAction::Hold => store.hold(found, true, operator).await?,
        RepairAction::Release => store.hold(found, false, operator).await?,
        RepairAction::Resolve => {
            let must = "must be given with resolve";
            let outcome = options.outcome;
            let outcome = outcome.ok_or_else(|| ApiError::invalid("/outcome", "missing", must))?;
            let statement = (outcome, options.nothing_waits);
            store.resolve(found, statement, None, operator).await?;
        }
    }
    Ok(found.tracking_id)
}
