//! An authenticated operator, and the scope that each route needs.
//!
//! The layer [`authorize`] authenticates the request, checks the scope of its route, and puts the operator into the
//! request. Handlers take the operator from there ([`Ops`]), wherever its scopes come from.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::request::Parts,
    middleware::Next,
    response::Response,
};

use crate::{
    http::{
        api_error::ApiError,
        observe::{Peer, RequestId},
        state::ApiState,
        tokens::{Caller, Scope},
    },
    store::Operator,
};

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum OpsScope {
    /// Reading everything except personal data.
    Read,
    /// Every action.
    Act,
    /// Reading personal data: payloads, commands and answers of Fineract.
    Pii,
}

impl OpsScope {
    /// All scopes.
    pub(in crate::http) const ALL: [Self; 3] = [Self::Read, Self::Act, Self::Pii];

    /// The name in settings and messages.
    pub(in crate::http) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "ops.read",
            Self::Act => "ops",
            Self::Pii => "ops.pii",
        }
    }
}

/// An authenticated operator, and what this operator may do.
#[derive(Clone, Debug)]
pub(in crate::http) struct Ops {
    /// Who acts, for the audit.
    pub(in crate::http) operator: Operator,
    /// What the operator may do.
    pub(in crate::http) scopes: Vec<OpsScope>,
}

impl Ops {
    /// An operator with these scopes who has sent this request.
    pub(in crate::http) fn new(name: &str, scopes: Vec<OpsScope>, parts: &Parts) -> Self {
        let RequestId(request_id) = parts.extensions.get().cloned().unwrap_or_default();
        let peer: Option<&Peer> = parts.extensions.get();
        Self {
            operator: Operator {
                name: name.to_owned(),
                request_id: request_id.to_string(),
                address: peer.map(|Peer(address)| address.to_string()),
                reason: None,
                repair: None,
                seen: None,
            },
            scopes,
        }
    }

    /// Whether the operator has a scope.
    pub(in crate::http) fn has(&self, scope: OpsScope) -> bool {
        self.scopes.contains(&scope)
    }

    /// The operator who acts, with the reason for the action.
    pub(in crate::http) fn because(self, reason: String) -> Operator {
        Operator {
            reason: Some(reason),
            ..self.operator
        }
    }

    /// Finds out who sent the request. A secret of `OPS_TOKENS` has every scope.
    async fn authenticate(parts: &mut Parts, api: &Arc<ApiState>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let scopes = match caller.scope {
            Scope::Internal => Vec::new(),
            Scope::Ops => OpsScope::ALL.to_vec(),
        };
        Ok(Self::new(&caller.name, scopes, parts))
    }
}

/// Refuses a request whose sender does not have the scope of the route.
pub(in crate::http) async fn authorize(
    State((api, scope)): State<(Arc<ApiState>, OpsScope)>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let ops = Ops::authenticate(&mut parts, &api).await?;
    if !ops.has(scope) {
        return Err(ApiError::Forbidden(scope.as_str()));
    }
    parts.extensions.insert(ops);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

impl<S: Send + Sync> FromRequestParts<S> for Ops {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Only the routes of the operators use this extractor, and `authorize` is around each of them.
        parts
            .extensions
            .get()
            .cloned()
            .ok_or(ApiError::Unauthorized)
    }
}
