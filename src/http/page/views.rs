//! Saving a filter of the list under a name, for all operators.

use std::sync::Arc;

use axum::{extract::State, response::Redirect};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::form::SignedForm;
use crate::{
    domain::Scope,
    http::{api_error::ApiError, state::ApiState},
    store::SavedView,
};

/// The longest name and the longest filter, in characters.
const LONGEST_NAME: usize = 60;
const LONGEST_FILTER: usize = 500;

/// The form that saves a view.
#[derive(Deserialize)]
pub(super) struct Saved {
    name: String,
    filter: String,
}

/// The form that removes a view.
#[derive(Deserialize)]
pub(super) struct Removed {
    name: String,
}

/// Saves a view, unless a view has the same name.
pub(super) async fn save(
    State(api): State<Arc<ApiState>>,
    form: SignedForm<Saved>,
) -> Result<Redirect, ApiError> {
    let Saved { name, filter } = form.fields;
    let (name, filter) = (name.trim().to_owned(), filter.trim().to_owned());
    let fits =
        |text: &str, longest| (1..=longest).contains(&text.chars().count()) && !text.contains('\0');
    if !fits(&name, LONGEST_NAME) || !fits(&filter, LONGEST_FILTER) {
        return Err(ApiError::InvalidForm);
    }
    let operator = form.session.because(Scope::Ops, "saved a view")?;
    let encoded = utf8_percent_encode(&filter, NON_ALPHANUMERIC).to_string();
    let view = SavedView {
        name,
        filter,
        saved_by: operator.name,
    };
    if !api.store.save_view(&view).await? {
        let must = "A view has this name already, or there are 200 views: remove one first.";
        return Err(ApiError::invalid("/name", "view_not_saved", must));
    }
    Ok(Redirect::to(&format!(
        "/ops/operations?q={encoded}&done=saved"
    )))
}

/// Removes a view.
pub(super) async fn remove(
    State(api): State<Arc<ApiState>>,
    form: SignedForm<Removed>,
) -> Result<Redirect, ApiError> {
    form.session.because(Scope::Ops, "removed a view")?;
    if form.fields.name.contains('\0') {
        return Err(ApiError::InvalidForm);
    }
    api.store.remove_view(&form.fields.name).await?;
    Ok(Redirect::to("/ops/operations"))
}
