//! Who may do what: recognises the credential of a request, and checks whether the route accepts it.
//!
//! Each route names the scopes of which the credential must have one ([`Need`]). One layer ([`authorize`]) checks all of
//! it before the handler runs, by one rule:
//!
//! - 401 if no credential, an unknown one, or one that was revoked or has expired is sent in the header of the route;
//! - 403 if the credential does not have the scope, or may not be used from the address of the request;
//! - 429 if it has used up its rate, or if too many wrong secrets came from the address;
//! - 404 (by the handlers) for what belongs to another owner.
//!
//! Credentials are those of the settings (`tokens`, `bulk/clients`) and those of the database, of which every process has
//! a copy in memory (`credentials`). So no request needs a statement for its credential.

mod authenticate;
mod caller;
mod credentials;
mod entry;
mod error;
mod not_permitted;
mod operator;
mod presented;
mod refusal;
mod validity;
mod wrong_secrets;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

#[cfg(feature = "fuzzing")]
pub(super) use self::authenticate::from_settings;
pub(super) use self::{
    authenticate::{authenticate, peer_of},
    caller::Caller,
    error::AccessError,
    not_permitted::NotPermitted,
    operator::{count_wrong_guess, find_operator, may_guess, sign_in},
    presented::X_INTERNAL_TOKEN,
    refusal::Refusal,
    validity::Validity,
};
pub use self::{credentials::Credentials, wrong_secrets::WrongSecrets};
use super::{need::Need, route_table::Table, state::ApiState};

/// Adds the check of its need to each route of a table. A refusal becomes an error of this type.
pub(super) fn guarded<E>(api: &Arc<ApiState>, table: Table) -> Table
where
    E: From<Refusal> + axum::response::IntoResponse + Send + 'static,
{
    let routes = table.into_iter();
    let guarded = routes.map(|(method, path, need, handler)| {
        if need.is_empty() {
            return (method, path, need, handler);
        }
        let state = (Arc::clone(api), need);
        let layer = axum::middleware::from_fn_with_state(state, authorize::<E>);
        (method, path, need, handler.route_layer(layer))
    });
    guarded.collect()
}

/// Refuses a request whose credential the route does not accept. Puts the [`Caller`] of any other request into it.
pub(super) async fn authorize<E: From<Refusal>>(
    State((api, need)): State<(Arc<ApiState>, Need)>,
    request: Request,
    next: Next,
) -> Result<Response, E> {
    let (mut parts, body) = request.into_parts();
    let caller = authenticate(&api, &parts, need)?;
    parts.extensions.insert(caller);
    Ok(next.run(Request::from_parts(parts, body)).await)
}
