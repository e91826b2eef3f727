//! The operator who sent a request.

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{
    domain::{Scope, Scopes},
    http::{
        access::{Caller, Validity},
        api_error::ApiError,
        observe::{Peer, RequestId},
    },
    store::Operator,
};

/// An authenticated operator, and what this operator may do.
#[derive(Clone, Debug)]
pub(in crate::http) struct Ops {
    /// Who acts, for the audit.
    pub(in crate::http) operator: Operator,
    /// What the operator may do.
    pub(in crate::http) scopes: Scopes,
    /// Ends requests that take long.
    pub(in crate::http) validity: Validity,
}

impl Ops {
    /// The operator with this credential, who has sent this request.
    pub(in crate::http) fn new(caller: &Caller, parts: &Parts) -> Self {
        let RequestId(request_id) = parts.extensions.get().cloned().unwrap_or_default();
        let peer: Option<&Peer> = parts.extensions.get();
        Self {
            operator: Operator {
                name: caller.name.to_string(),
                credential: caller.credential(),
                request_id: request_id.to_string(),
                address: peer.map(|Peer(address)| address.to_string()),
                reason: None,
                repair: None,
                seen: None,
            },
            scopes: caller.scopes,
            validity: caller.validity.clone(),
        }
    }

    /// Whether the operator has a scope.
    pub(in crate::http) fn has(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }

    /// The operator who acts, with the reason for the action.
    pub(in crate::http) fn because(self, reason: String) -> Operator {
        Operator {
            reason: Some(reason),
            ..self.operator
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Ops {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self::new(&caller, parts))
    }
}
