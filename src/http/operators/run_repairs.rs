//! Carries out repairs in the background, one row after the other, by the actions on single operations.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::act::act;
use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::{ClaimedRepair, RowOutcome, RowToRepair, StoreError},
    telemetry::chain,
};

/// The pause before this gateway looks for a repair again.
const PAUSE: Duration = Duration::from_secs(1);

/// Carries out repairs until `stop` is cancelled. A repair that is not over then is left to another gateway.
pub async fn run_repairs(api: ApiState, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match run_next(&api, &stop).await {
            Ok(true) => continue,
            Ok(false) => {}
            // While the database is away, other parts of the gateway report it.
            Err(error) => {
                tracing::debug!(error = %chain(&error), "a repair could not go on; trying again shortly");
            }
        }
        let _: Option<()> = stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}

/// Carries out the next repair. Returns whether there was one.
async fn run_next(api: &ApiState, stop: &CancellationToken) -> Result<bool, StoreError> {
    let Some(repair) = api.store.claim_repair().await? else {
        return Ok(false);
    };
    loop {
        let rows = api.store.next_rows(repair.id).await?;
        if rows.is_empty() {
            api.store.end_repair(repair.id).await?;
            tracing::info!(repair.id = %repair.id, "a repair is over");
            return Ok(true);
        }
        for row in rows {
            if stop.is_cancelled() {
                api.store.leave_repair(repair.id).await?;
                return Ok(true);
            }
            let outcome = run_row(api, &repair, &row).await?;
            api.store.write_row(repair.id, row.number, &outcome).await?;
        }
    }
}

async fn run_row(
    api: &ApiState,
    repair: &ClaimedRepair,
    row: &RowToRepair,
) -> Result<RowOutcome, StoreError> {
    if api.store.is_repaired(repair.id, row).await? {
        return Ok(RowOutcome::Done);
    }
    if api.store.has_changed(repair.id, row).await? {
        return Ok(RowOutcome::Changed);
    }
    let Some(found) = api.store.find(row.id).await? else {
        return Ok(RowOutcome::Changed);
    };
    let what = (repair.action, &repair.options);
    match act(api, &found, what, &repair.operator).await {
        Ok(_) => Ok(RowOutcome::Done),
        Err(ApiError::Unavailable(error)) => Err(error),
        // Another session may have acted on the operation since it was looked at.
        Err(_) if api.store.has_changed(repair.id, row).await? => Ok(RowOutcome::Changed),
        Err(error) => Ok(RowOutcome::Refused {
            code: error.code().to_owned(),
            message: error.to_string(),
        }),
    }
}
