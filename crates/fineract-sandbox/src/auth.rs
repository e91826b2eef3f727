//! Authentication: checks the tenant and the Basic credentials before any resource is reached
//! (`docs/fineract/commands.md`, "Refused before any resource is reached").

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::call::{API, Call};
use super::failure::standard;
use super::reply::Reply;
use super::users::{User, Users};

/// The identifier of the only tenant.
const TENANT: &str = "default";

/// The user of the request. If the login fails, the error is the answer that refuses the request.
pub(super) fn user<'a>(call: &Call, users: &'a Users) -> Result<&'a User, Reply> {
    let tenant = call
        .header("Fineract-Platform-TenantId")
        .or(call.query("tenantIdentifier"));
    if tenant != Some(TENANT) {
        return Err(standard(StatusCode::BAD_REQUEST, &call.path).challenged());
    }
    let Some(header) = call.header("Authorization") else {
        // Fineract's filter for the nightly lock on loans runs before the check that answers 401. The filter fails with
        // a 500, because the request has no user.
        let trips = call.is_write() && is_of_one_loan(&call.path);
        return Err(if trips {
            standard(StatusCode::INTERNAL_SERVER_ERROR, &call.path)
        } else {
            standard(StatusCode::UNAUTHORIZED, &call.path).challenged()
        });
    };
    let credentials = header
        .strip_prefix("Basic ")
        .and_then(|encoded| STANDARD.decode(encoded).ok());
    let credentials = credentials.and_then(|bytes| String::from_utf8(bytes).ok());
    let user = credentials.and_then(|credentials| users.authenticate(&credentials));
    user.ok_or_else(|| standard(StatusCode::UNAUTHORIZED, &call.path).challenged())
}

fn is_of_one_loan(path: &str) -> bool {
    path.strip_prefix(API)
        .and_then(|path| path.strip_prefix("/loans/"))
        .is_some_and(|rest| !rest.is_empty())
}
