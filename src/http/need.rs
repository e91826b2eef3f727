//! What a route needs of the credential that a request sends.

use crate::domain::Scope;

/// The scopes of which a route needs one. None: the route needs no credential.
pub(super) type Need = &'static [Scope];
