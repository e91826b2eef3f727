//! Puts the document together: the routes of the router's tables, each with its description.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::{
    bulk,
    endpoint::Row,
    events, keys, lists, operations, operators,
    parameters::{answer_headers, header, request_headers},
    probes, repairs,
    schemas::Schemas,
    security::schemes,
    system, transactions, webhooks,
};
use crate::{
    http::{api_error::ApiError, need::Need, route_table::Table, routes::tables},
    operations::Deployment,
};

/// The version of the API. Its first number changes only if callers have to change their programs.
const VERSION: &str = "1.0.0";

const ABOUT: &str = "fineract-gateway is a durable queue in front of Apache Fineract. Send a loan operation with \
`POST /fineract/operate`, and ask for its result with `GET /fineract/track/{tracking_id}`; or send many in one batch, and be \
told of results by `GET /events` or by webhooks.

Every path except `/metrics` is served without a prefix and under each prefix of `HTTP_BASE_PATH`, with or without a slash at \
its end. A path that is served with `GET` also answers `HEAD`; every path answers `OPTIONS` with `Allow`, and any other method \
with `405` and `Allow`. Unknown members of requests are refused. New members may be added to answers at any time.";

/// The groups of routes: the tag, its description and the tables of its routes.
const GROUPS: &[(&str, &str, &[&[Row]])] = &[
    (
        "Operations",
        "Send operations, and ask for their results.",
        &[operations::TABLE],
    ),
    ("Events", "Be told what has happened.", &[events::CALLERS]),
    (
        "Webhooks",
        "Have the gateway call a URL of yours with each event.",
        &[webhooks::CALLERS],
    ),
    (
        "Batches",
        "Send many operations at once, watch them, and send failed ones again.",
        &[bulk::TABLE],
    ),
    (
        "Transactions",
        "Operations that move money, in the form of a payment API.",
        &[transactions::TABLE],
    ),
    (
        "Operators",
        "For people who look after the gateway, and for their tools.",
        &[
            operators::TABLE,
            lists::TABLE,
            repairs::TABLE,
            system::TABLE,
            events::OPERATORS,
            webhooks::OPERATORS,
        ],
    ),
    (
        "Keys",
        "Who may use the gateway, besides the tokens in its settings.",
        &[keys::TABLE],
    ),
    (
        "Health",
        "For the software that runs the gateway.",
        &[probes::TABLE],
    ),
];

/// The document of the routes in these tables, for a gateway of this deployment.
pub(in crate::http) fn document(served: &[Table], deployment: &Deployment) -> Value {
    let mut schemas = Schemas::new(deployment);
    let mut paths = Map::new();
    let mut tags = Vec::new();
    for (tag, description, rows) in GROUPS {
        let mut has_routes = false;
        for (name, describe) in rows.iter().copied().flatten() {
            let Some((method, path, need)) = find(served, name) else {
                continue;
            };
            let scope = need.first().map(|scope| scope.as_str());
            has_routes = true;
            let endpoint = describe(&mut schemas).refuses(scope.map(ApiError::Forbidden));
            let operation = endpoint.into_operation(tag, &mut schemas);
            let item = paths.entry(path).or_insert_with(|| path_item(path));
            if let Some(item) = item.as_object_mut() {
                item.insert(method.as_str().to_lowercase(), operation);
            }
        }
        if has_routes {
            tags.push(json!({ "name": tag, "description": description }));
        }
    }
    paths.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": { "title": "fineract-gateway", "version": VERSION, "description": ABOUT },
        // Relative to the document, so it is right under each prefix, also behind a proxy that adds one.
        "servers": [{ "url": "." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": schemes(),
            "parameters": request_headers(),
            "headers": answer_headers(),
            "schemas": schemas.finish(),
        },
    })
}

/// The document of all routes that a gateway may serve.
pub(in crate::http) fn whole_document(deployment: &Deployment) -> Value {
    document(&tables(), deployment)
}

fn path_item(path: &str) -> Value {
    let mut item = json!({ "parameters": [header("X-Request-Id")] });
    if let Some(members) = item.as_object_mut()
        && path == "/metrics"
    {
        members.insert("servers".to_owned(), json!([{ "url": "/" }]));
    }
    item
}

/// The route with this name, if it is served.
fn find(served: &[Table], name: &str) -> Option<(Method, &'static str, Need)> {
    let mut routes = served.iter().flatten();
    let found = routes.find(|(method, path, ..)| format!("{method} {path}") == name);
    found.map(|(method, path, need, _)| (method.clone(), *path, *need))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_and_everything_described_is_a_route() {
        let tables = tables();
        let served = tables.iter().flatten();
        let served = served.map(|(method, path, ..)| format!("{method} {path}"));
        let described = GROUPS
            .iter()
            .flat_map(|(_, _, tables)| tables.iter().copied().flatten());
        let described: Vec<String> = described.map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(
            described.iter().collect::<BTreeSet<_>>().len(),
            described.len()
        );
        assert_eq!(
            served.collect::<BTreeSet<_>>(),
            described.into_iter().collect::<BTreeSet<_>>()
        );
    }
}
