//! The forms with which an operator acts on one operation.

use std::sync::Arc;

use axum::{extract::State, response::Redirect};
use serde::Deserialize;

use super::form::SignedForm;
use crate::{
    domain::{Resolution, Scope},
    http::{
        api_error::ApiError,
        operators::{self, Named},
        state::ApiState,
    },
    store::{Operator, RepairAction, RepairOptions},
};

/// The fields of a form that acts.
#[derive(Deserialize)]
pub(super) struct Act {
    reason: String,
    /// What the page showed of the operation. The action is refused if the operation has changed meanwhile.
    seen: String,
    /// Only for a resolution.
    outcome: Option<Resolution>,
    /// The box is in the form only if it is ticked.
    nothing_waits: Option<String>,
}

/// Handles the form of this action.
pub(super) async fn act(
    action: RepairAction,
    State(api): State<Arc<ApiState>>,
    named: Named,
    form: SignedForm<Act>,
) -> Result<Redirect, ApiError> {
    let Act {
        reason,
        seen,
        outcome,
        nothing_waits,
    } = form.fields;
    let operator = Operator {
        seen: Some(seen),
        ..form.session.because(Scope::Ops, &reason)?
    };
    let options = RepairOptions {
        outcome,
        nothing_waits: nothing_waits.is_some(),
        expires_at: None,
    };
    let found = named.find(&api).await?;
    let now = operators::act(&api, &found, (action, &options), &operator).await?;
    let done = action.as_str();
    tracing::info!(operation.id = %found.tracking_id.id, action = done, "an operator acted on the page");
    Ok(Redirect::to(&format!(
        "/ops/operations/{}?done={done}",
        now.id
    )))
}
