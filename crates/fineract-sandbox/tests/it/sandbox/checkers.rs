//! Tests of commands that wait for a checker, beyond the recordings.

use reqwest::Method;
use serde_json::{Value, json};

use super::Seen::{Fresh, Stored};
use super::{Bench, Seen, client, code};

/// The permission whose commands wait for a checker in all these tests.
const CHECKED: &str = "CREATE_CLIENT";

/// A sandbox with a maker and a checker, and the number of a waiting command of the maker.
async fn waiting() -> (Bench, String) {
    let bench = Bench::start().await;
    for (name, permissions) in [
        ("maker", json!([CHECKED, "ACTIVATE_CLIENT", "READ_AUDIT"])),
        (
            "checker",
            json!(["CREATE_CLIENT_CHECKER", "ACTIVATE_CLIENT"]),
        ),
        ("neighbour", json!(["APPROVE_LOAN_CHECKER"])),
    ] {
        let user = json!({"name": name, "password": "password", "permissions": permissions});
        bench.admin("users", &user).await;
    }
    bench.admin("maker-checker", &json!([CHECKED])).await;
    let (seen, answer) = make(&bench).await;
    assert_eq!(seen, Fresh(200));
    assert_eq!(answer["rollbackTransaction"], true);
    let id = answer["commandId"].to_string();
    (bench, id)
}

/// Sends the maker's command, always under the same key.
async fn make(bench: &Bench) -> (Seen, Value) {
    let call = bench.call("maker", Method::POST, "/clients", &client("C-1"));
    bench.see(call.header("Idempotency-Key", "k")).await
}

async fn listed(bench: &Bench, user: &str) -> Value {
    let path = "/makercheckers?actionName=CREATE&entityName=CLIENT";
    let (seen, list) = bench
        .see(bench.call(user, Method::GET, path, &Value::Null))
        .await;
    assert_eq!(seen, Fresh(200), "{user}");
    list
}

async fn check(bench: &Bench, user: &str, method: Method, path: &str) -> (Seen, Value) {
    let path = format!("/makercheckers/{path}");
    bench.see(bench.call(user, method, &path, &json!({}))).await
}

async fn audit(bench: &Bench, id: &str) -> (Seen, Value) {
    let path = format!("/audits/{id}");
    bench
        .see(bench.call("maker", Method::GET, &path, &Value::Null))
        .await
}

#[tokio::test]
async fn only_who_may_check_sees_the_list_and_decides() {
    let (bench, id) = waiting().await;
    for user in ["maker", "neighbour"] {
        assert_eq!(listed(&bench, user).await, json!([]), "{user}");
        for (method, path) in [
            (Method::POST, format!("{id}?command=approve")),
            (Method::POST, format!("{id}?command=reject")),
            (Method::DELETE, id.clone()),
        ] {
            let (seen, answer) = check(&bench, user, method, &path).await;
            assert_eq!(seen, Fresh(403), "{user} {path}");
            assert_eq!(code(&answer), "error.msg.not.authorized");
        }
    }
    for user in ["checker", "mifos"] {
        assert_eq!(listed(&bench, user).await[0]["id"].to_string(), id);
    }
    // A restart of Fineract does not end a waiting command.
    bench.admin("restart", &Value::Null).await;
    assert_eq!(make(&bench).await.0, Stored(425));
    let approve = format!("{id}?command=approve");
    let (seen, _) = check(&bench, "checker", Method::POST, &approve).await;
    assert_eq!(seen, Fresh(200));
    assert_eq!(audit(&bench, &id).await.1["checker"], "checker");
    assert_eq!(listed(&bench, "mifos").await, json!([]));
    assert_eq!(bench.list("ledger").await.len(), 1);
}

#[tokio::test]
async fn an_approval_that_fineract_refuses_leaves_the_refusal_under_the_key() {
    let (bench, id) = waiting().await;
    bench.done(Method::POST, "/clients", &client("C-1")).await;
    let approve = format!("{id}?command=approve");
    let (seen, answer) = check(&bench, "checker", Method::POST, &approve).await;
    assert_eq!(seen, Fresh(403));
    assert_eq!(code(&answer), "error.msg.client.duplicate.externalId");

    let (seen, row) = audit(&bench, &id).await;
    assert_eq!((seen, row.get("checker")), (Fresh(200), None), "{row}");
    let (seen, answer) = make(&bench).await;
    assert_eq!(seen, Stored(403));
    assert_eq!(code(&answer), "error.msg.client.duplicate.externalId");
    assert_eq!(listed(&bench, "mifos").await, json!([]));
    assert_eq!(bench.list("ledger").await.len(), 1);
}
