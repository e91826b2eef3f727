//! Carries out repairs in the background, one row after the other, by the actions on single operations.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::act::act;
use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::{ClaimedRepair, RowOutcome, RowToRepair, RowTurn, StoreError, Unfit},
    telemetry::chain,
};

/// The pause before this gateway looks for a repair again.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause before a gateway tries the rows of a repair again that have failed.
const STUCK_PAUSE: Duration = Duration::from_secs(2);

/// Carries out repairs until `stop` is cancelled. A repair that is not over then is left to another gateway.
pub async fn run_repairs(api: ApiState, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match run_next(&api, &stop).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error = %chain(&error), "a repair could not go on; trying again shortly");
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
    let pause = run_rows(api, &repair, stop).await?;
    if api.store.leave_repair(&repair, pause).await? {
        tracing::info!(repair.id = %repair.id, "a repair is over");
    }
    Ok(true)
}

/// Acts on each row that is left, once. Returns after which pause the repair may go on, if rows are left then.
async fn run_rows(
    api: &ApiState,
    repair: &ClaimedRepair,
    stop: &CancellationToken,
) -> Result<Duration, StoreError> {
    let mut pause = Duration::ZERO;
    let mut after = 0;
    // A row that fails comes again later. The rows behind it in its lane have to wait for it: otherwise the operations
    // of the lane would be accepted in another order.
    let mut stuck_lane = None;
    loop {
        let rows = api.store.next_rows(repair, after).await?;
        if rows.is_empty() {
            return Ok(pause);
        }
        for row in rows {
            after = row.number;
            if stop.is_cancelled() {
                return Ok(Duration::ZERO);
            }
            let outcome = match api.store.row_turn(repair, &row).await? {
                RowTurn::Over => return Ok(Duration::ZERO),
                RowTurn::Done => RowOutcome::Done,
                RowTurn::Due if stuck_lane.as_ref() == Some(&row.lane) => continue,
                RowTurn::Due => match run_row(api, repair, &row).await {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        let error = chain(&error);
                        tracing::warn!(repair.id = %repair.id, operation.id = %row.id, %error, "a row of a repair failed; trying again later");
                        stuck_lane = Some(row.lane);
                        pause = STUCK_PAUSE;
                        continue;
                    }
                },
            };
            api.store.write_row(repair.id, row.number, &outcome).await?;
        }
    }
}

/// Acts on the operation of a row. The action compares the operation with what was seen of it, under its locks.
async fn run_row(
    api: &ApiState,
    repair: &ClaimedRepair,
    row: &RowToRepair,
) -> Result<RowOutcome, StoreError> {
    let acted = match api.store.find(row.id).await {
        Ok(Some(found)) => {
            let what = (repair.action, &repair.options);
            act(api, &found, what, &repair.operator).await
        }
        Ok(None) => return Ok(RowOutcome::Changed),
        Err(error) => Err(error.into()),
    };
    match acted {
        Ok(_) => Ok(RowOutcome::Done),
        Err(ApiError::Unavailable(error @ StoreError::Unknown { .. })) => Ok(RowOutcome::Refused {
            code: "unknown_to_gateway".to_owned(),
            message: error.to_string(),
        }),
        Err(ApiError::Unavailable(error)) => Err(error),
        Err(ApiError::Unfit(Unfit::Changed)) => Ok(RowOutcome::Changed),
        // The action may be impossible because another session has acted on the operation.
        Err(_) if api.store.has_changed(repair, row).await? => Ok(RowOutcome::Changed),
        Err(error) => Ok(RowOutcome::Refused {
            code: error.code().to_owned(),
            message: error.to_string(),
        }),
    }
}
