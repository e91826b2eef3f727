//! The receiver of an endpoint, as the sender needs it.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    store::RunningEndpoint,
    webhooks::{Receiver, Secret},
};

/// Where, with which headers and under which keys messages to this endpoint are sent.
pub(super) fn receiver(endpoint: &RunningEndpoint) -> Receiver {
    let headers = endpoint.headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        Some((name, HeaderValue::try_from(value.as_str()).ok()?))
    });
    let secrets = endpoint.secrets.iter();
    Receiver {
        url: endpoint.url.clone(),
        headers: headers.collect::<HeaderMap>(),
        secrets: secrets
            .filter_map(|secret| Secret::stored(secret))
            .collect(),
    }
}
