//! Every route with every scope, from the router's own list.

use fineract_gateway::domain::{CredentialKind, Scope, Scopes};
use fineract_gateway::http::routes;
use reqwest::Method;
use sqlx::PgPool;

use super::{Key, hear_of_changes, insert};
use crate::support::{
    TestGateway,
    fixtures::{client_create, loan_disburse},
};

/// A credential that has one scope only.
struct Holder {
    scope: Scope,
    key: Key,
}

/// One for each scope and each kind that can have it.
async fn holders(gateway: &TestGateway) -> Vec<Holder> {
    let mut holders = Vec::new();
    for kind in CredentialKind::ALL {
        for scope in kind.possible().iter().copied() {
            let secret = insert(&gateway.store, kind, Scopes::of(&[scope])).await;
            let key = Key {
                id: secret.id.to_string(),
                secret: secret.reveal().to_owned(),
                kind,
            };
            holders.push(Holder { scope, key });
        }
    }
    hear_of_changes(gateway).await;
    holders
}

/// The one rule: what a route with this need answers to a credential with this scope only. `None`: it lets it in.
fn refusal(need: &[Scope], kind: CredentialKind, scope: Scope) -> Option<u16> {
    let is_sent_alike = |other: &CredentialKind| {
        let is_token = |kind| matches!(kind, CredentialKind::InternalToken | CredentialKind::Ops);
        *other == kind || (is_token(*other) && is_token(kind))
    };
    let mut alike = CredentialKind::ALL.into_iter().filter(is_sent_alike);
    let reads_header = alike.any(|kind| kind.possible().iter().any(|scope| need.contains(scope)));
    if need.is_empty() || (need.contains(&scope) && kind.possible().contains(&scope)) {
        None
    } else if reads_header {
        Some(403)
    } else {
        Some(401)
    }
}

async fn status(gateway: &TestGateway, method: &Method, path: &str, key: Option<&Key>) -> u16 {
    let request = gateway.request(method.clone(), path);
    let request = match key {
        Some(key) => key.with(request),
        None => request,
    };
    // The stream of events never ends, so no body is read.
    let response = request.send().await.expect("the gateway answers");
    response.status().as_u16()
}

/// A path with ids of what exists, but belongs to another owner.
fn filled(path: &str, tracking_id: &str) -> String {
    let uuid = tracking_id.split_once('|').expect("a tracking id").1;
    let path = path.replace("{tracking_id}", &tracking_id.replace('|', "%7C"));
    path.replace("{id}", uuid).replace("{lane}", "loan%3Al-1")
}

#[sqlx::test]
#[expect(clippy::print_stdout, reason = "the table is for people")]
async fn every_route_lets_in_the_scopes_it_names_and_no_other(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let others = gateway.accept(&loan_disburse("L-1")).await;
    let holders = holders(&gateway).await;
    let mut table = vec![format!(
        "{:<46}{:<24}scopes that are let in",
        "route", "needs"
    )];
    let mut wrong = Vec::new();
    for (method, path, need) in routes() {
        let route = format!("{method} {path}");
        let path = filled(path, &others);
        let without = status(&gateway, &method, &path, None).await;
        if (without == 401) == need.is_empty() {
            wrong.push(format!("{route} without a credential: {without}"));
        }
        let mut let_in = Vec::new();
        for Holder { scope, key } in &holders {
            let found = status(&gateway, &method, &path, Some(key)).await;
            let expected = refusal(need, key.kind, *scope);
            let is_right = match expected {
                Some(expected) => found == expected,
                // Not 401 and not 403; and what belongs to another owner is not there.
                None if ["{tracking_id}", "/transactions/"]
                    .iter()
                    .any(|own| route.contains(own)) =>
                {
                    found == 404
                }
                None => !matches!(found, 401 | 403),
            };
            if !is_right {
                wrong.push(format!(
                    "{route} with {} as {}: {found}",
                    scope.as_str(),
                    key.kind.as_str()
                ));
            }
            if expected.is_none() && !let_in.contains(&scope.as_str()) {
                let_in.push(scope.as_str());
            }
        }
        let needs: Vec<&str> = need.iter().map(|scope| scope.as_str()).collect();
        let needs = if needs.is_empty() {
            "nothing".to_owned()
        } else {
            needs.join(" or ")
        };
        let let_in = if need.is_empty() {
            "all".to_owned()
        } else {
            let_in.join(", ")
        };
        table.push(format!("{route:<46}{needs:<24}{let_in}"));
    }
    println!("{}", table.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What one scope of an operator permits, the others do not.
#[sqlx::test]
async fn the_scopes_of_operators_are_separate(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = gateway.accept(&client_create("C-1")).await;
    let uuid = id.split_once('|').expect("a tracking id").1;
    let (show, hold) = (
        format!("/fineract/operations/{uuid}"),
        format!("/fineract/operations/{uuid}/hold"),
    );
    let reason = serde_json::json!({ "reason": "to see" });
    for (scopes, reads, acts, sees) in [
        (vec!["ops.read"], 200, 403, false),
        (vec!["ops"], 403, 200, false),
        (vec!["ops.pii"], 403, 403, false),
        (vec!["ops.read", "ops.pii"], 200, 403, true),
        (vec!["admin"], 403, 403, false),
    ] {
        let settings = serde_json::json!({ "scopes": scopes });
        let key = Key::create(&gateway, CredentialKind::Ops, settings).await;
        let shown = key.get(&gateway, &show).await;
        assert_eq!(shown.status, reads, "{scopes:?}: {}", shown.text);
        if reads == 200 {
            assert_eq!(shown.text.contains("Jayesh"), sees, "{}", shown.text);
        }
        let acted = key.post(&gateway, &hold, &reason).await;
        assert_eq!(acted.status, acts, "{scopes:?}: {}", acted.text);
    }
}
