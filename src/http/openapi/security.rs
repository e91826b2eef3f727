//! The four kinds of credentials.

use serde_json::{Map, Value, json};

use crate::domain::Scope;

/// A credential that a route accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    /// The token of a caller, or of an operator.
    Caller,
    /// The token of an operator with this scope.
    Operator(Scope),
    /// The four headers of a bulk client.
    BulkClient,
    /// The API key of a reader of transactions.
    ApiKey,
}

/// The headers of a bulk client, with the names of their schemes.
const BULK: [(&str, &str, &str); 4] = [
    ("bulkClientId", "client_id", "The id of the client."),
    (
        "bulkClientSecret",
        "client_secret",
        "The secret of the client.",
    ),
    (
        "bulkApplication",
        "appIdentifier",
        "The application of the client.",
    ),
    (
        "bulkOrganisation",
        "organisationId",
        "The organisation of the client.",
    ),
];

impl Credential {
    /// The requirement of a route that accepts the credential.
    pub(super) fn requirement(self) -> Value {
        match self {
            Self::Caller => json!({ "callerToken": [] }),
            Self::Operator(scope) => json!({ "operatorToken": [scope.as_str()] }),
            Self::ApiKey => json!({ "apiKey": [] }),
            Self::BulkClient => {
                let all = BULK
                    .iter()
                    .map(|(scheme, ..)| ((*scheme).to_owned(), json!([])));
                Value::Object(all.collect())
            }
        }
    }
}

/// All security schemes.
pub(super) fn schemes() -> Value {
    let header = |name: &str, description: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": description });
    let mut schemes = Map::new();
    let caller = "A secret of `INTERNAL_TOKENS` or `OPS_TOKENS`, or a key of the kind `internal_token` or `ops`.";
    schemes.insert("callerToken".to_owned(), header("X-Internal-Token", caller));
    let operator = "A secret of `OPS_TOKENS`, which has every scope, or a key of the kind `ops`. Each route names the scope that it \
                    needs: `ops.read` permits reading, `ops` every action, `ops.pii` seeing personal data, and `admin` \
                    managing keys.";
    schemes.insert(
        "operatorToken".to_owned(),
        header("X-Internal-Token", operator),
    );
    for (scheme, name, description) in BULK {
        let all_four = "A bulk client (`BULK_CLIENTS`, or a key of the kind `bulk_client`) sends all four headers. nginx drops header names with `_`, \
                        unless its `server` block contains `underscores_in_headers on;`.";
        schemes.insert(
            scheme.to_owned(),
            header(name, &format!("{description} {all_four}")),
        );
    }
    let key = "`Token`, a blank, and a key of `API_KEYS` or of the kind `api_key`: `Token my-key`.";
    schemes.insert("apiKey".to_owned(), header("Authorization", key));
    schemes.into()
}
