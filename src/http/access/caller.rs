//! The sender of a request.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use uuid::Uuid;

use super::{entry::Entry, not_permitted::NotPermitted, refusal::count, validity::Validity};
use crate::{
    domain::{Checked, OperationType, Owner, Scope, Scopes},
    http::api_error::ApiError,
};

/// Whoever sent a request, and what its credential permits. The layer [`authorize`](super::authorize) puts it into each
/// request of a route that needs a credential.
#[derive(Clone, Debug)]
pub(in crate::http) struct Caller {
    /// The name of the credential.
    pub(in crate::http) name: Arc<str>,
    /// Whose operations, batches, events, webhooks and keys it reaches.
    pub(in crate::http) owner: Owner,
    /// What it permits.
    pub(in crate::http) scopes: Scopes,
    /// Ends requests that take long.
    pub(in crate::http) validity: Validity,
    /// The credential; `None`: it is from the settings.
    pub(super) entry: Option<Arc<Entry>>,
}

impl Caller {
    /// An error if the credential was revoked or has expired since the request began, for example while its body arrived.
    pub(in crate::http) fn check_still_valid(&self) -> Result<(), ApiError> {
        if self.validity.is_over() {
            return Err(ApiError::Unauthorized);
        }
        Ok(())
    }

    /// The owner to which reads with `track` are restricted; `None`: they are not.
    pub(in crate::http) fn tracks_only(&self) -> Option<&Owner> {
        (!self.scopes.has(Scope::TrackAll)).then_some(&self.owner)
    }

    /// The id of the credential; `None`: it is from the settings.
    pub(in crate::http) fn credential(&self) -> Option<Uuid> {
        self.entry.as_ref().map(|entry| entry.credential.id)
    }

    /// Whether it may read a transaction that was sent by this caller (`payload.caller`).
    pub(in crate::http) fn may_read_transaction(&self, stored: &str) -> bool {
        self.scopes.has(Scope::TransactionsAll) || self.owner.has_sent(stored)
    }

    /// The key of its request budget for transactions. A credential of the database has an id, which no name in the
    /// settings equals by accident.
    pub(in crate::http) fn budget(&self) -> Arc<str> {
        let entry = self.entry.as_ref();
        entry.map_or_else(
            || Arc::clone(&self.name),
            |entry| entry.credential.id.to_string().into(),
        )
    }

    /// Whether it may send an operation of this type for this lender.
    pub(in crate::http) fn check_sending(
        &self,
        operation_type: OperationType,
        checked: &Checked,
    ) -> Result<(), NotPermitted> {
        let Some(entry) = &self.entry else {
            return Ok(());
        };
        let settings = &entry.credential.settings;
        let permits = |permitted: &Option<Vec<String>>, wanted: &str| {
            let permitted = permitted.as_ref();
            permitted.is_none_or(|permitted| permitted.iter().any(|known| known == wanted))
        };
        let refused = if !permits(&settings.operation_types, operation_type.as_str()) {
            NotPermitted::Type
        } else if checked
            .lender
            .as_ref()
            .is_some_and(|lender| !permits(&settings.lenders, lender))
        {
            NotPermitted::Lender
        } else {
            return Ok(());
        };
        count(refused.code());
        Err(refused)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Only routes that need a credential use this extractor, and `authorize` is around each of them.
        let caller = parts.extensions.get().cloned();
        caller.ok_or(ApiError::Unauthorized)
    }
}
