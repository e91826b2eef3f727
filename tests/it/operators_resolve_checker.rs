//! An operation has not failed while its command waits for a checker in Fineract, even if an operator resolves it so.

use fineract_gateway::tls::http_client;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    OPS_TOKEN,
    caller::Caller,
    fixtures::client_create,
    operators::{Operator, park, uuid},
    system::System,
};

/// Calls the sandbox as a checker who processes a command, and returns the answer.
async fn check(system: &System, method: Method, path: &str) -> Value {
    let url = format!(
        "http://{}/fineract-provider/api/v1/makercheckers{path}",
        system.sandbox
    );
    let client = http_client().no_proxy().build().expect("a client");
    let request = client
        .request(method, url)
        .header("Fineract-Platform-TenantId", "default")
        .basic_auth("mifos", Some("password"));
    let answer = request.send().await.expect("the sandbox answers");
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.json().await.expect("JSON")
}

/// Resets the sandbox, without data, to this release of Fineract.
async fn stand_in_for(system: &System, release: &str) {
    let client = http_client().no_proxy().build().expect("a client");
    let request = client
        .post(format!("http://{}/sandbox/reset", system.sandbox))
        .json(&json!({ "fineractVersion": release }));
    let answer = request.send().await.expect("the sandbox answers");
    assert!(answer.status().is_success(), "{}", answer.status());
}

/// Makes the next command that creates a client wait for a checker.
async fn put_before_a_checker(system: &System) {
    let creates = json!({ "method": "POST", "path": "/clients" });
    system
        .fault(json!({ "match": creates, "fault": "maker_checker" }))
        .await;
}

/// A create whose command waits for a checker. The operation is parked.
struct Waiting {
    system: System,
    gateway: Caller,
    operator: Operator,
    id: String,
    command: String,
}

impl Waiting {
    async fn start(pool: &PgPool, release: &str) -> Self {
        let mut system = System::start(pool).await;
        stand_in_for(&system, release).await;
        system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
        system.set("FINERACT_STUCK_AFTER_SECONDS", "1");
        system.set("FINERACT_MAKER_CHECKER", "");
        let gateway = system.gateway().await;
        let operator = Operator::of(gateway.address);
        put_before_a_checker(&system).await;
        let data = client_create("C")["data"].clone();
        let id = gateway.send("CLIENT_CREATE", data).await;
        let waiting = operator
            .eventually(&id, |operation| {
                operation["reason_code"] == "awaiting_checker" && operation["state"] == "ready"
            })
            .await;
        park(pool, &id).await;
        // The command was sent long ago, so the next reading alone decides.
        sqlx::query!("UPDATE attempt SET sent_at = sent_at - interval '1 hour'")
            .execute(pool)
            .await
            .unwrap();
        let command = waiting["attempts"][0]["answer"]["commandId"].to_string();
        Self {
            system,
            gateway,
            operator,
            id,
            command,
        }
    }

    /// Resolves the operation as failed. Returns the operation after a worker has processed the resolution.
    async fn resolved_as_failed(&self) -> Value {
        let answer = self.operator.resolve(&self.id, "failed").await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        self.operator
            .eventually(&self.id, |operation| {
                !matches!(operation["state"].as_str(), Some("ready" | "running"))
            })
            .await
    }

    async fn is_refused(&self, reason_code: &str) {
        let parked = self.resolved_as_failed().await;
        assert_eq!(
            (&parked["state"], &parked["reason_code"]),
            (&"parked".into(), &reason_code.into())
        );
    }
}

#[sqlx::test]
async fn a_command_that_waits_has_not_failed_until_it_is_rejected(pool: PgPool) {
    waits_until_it_is_rejected(&pool, "develop").await;
}

#[sqlx::test]
async fn nor_has_it_in_release_1_10_1(pool: PgPool) {
    waits_until_it_is_rejected(&pool, "1.10.1").await;
}

async fn waits_until_it_is_rejected(pool: &PgPool, release: &str) {
    let waiting = Waiting::start(pool, release).await;
    waiting.is_refused("awaiting_checker").await;
    // The resolution is refused too if the audit of the command cannot be read.
    waiting
        .system
        .fault(json!({ "match": { "method": "GET", "path": "/audits" }, "fault": "forbidden" }))
        .await;
    waiting.is_refused("awaiting_checker_unseen").await;

    let reject = format!("/{}?command=reject", waiting.command);
    check(&waiting.system, Method::POST, &reject).await;
    let ended = waiting.resolved_as_failed().await;
    assert_eq!(ended["state"], "failed", "{ended}");
    assert_eq!(ended["result"]["code"], "rejected_by_checker");
    assert!(waiting.system.ledger().await.is_empty());
}

#[sqlx::test]
async fn a_command_that_was_approved_meanwhile_is_a_success_whatever_is_said(pool: PgPool) {
    let waiting = Waiting::start(&pool, "develop").await;
    let approve = format!("/{}?command=approve", waiting.command);
    check(&waiting.system, Method::POST, &approve).await;
    let ended = waiting.resolved_as_failed().await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(
        waiting.gateway.end_of(&waiting.id).await["status"],
        "success"
    );
    assert_eq!(waiting.system.ledger().await.len(), 1);
}

/// The key of a deleted command is free. If the gateway sent it, the command would wait for a checker again.
#[sqlx::test]
async fn a_command_that_was_deleted_from_the_list_is_not_asked_about(pool: PgPool) {
    let waiting = Waiting::start(&pool, "develop").await;
    check(
        &waiting.system,
        Method::DELETE,
        &format!("/{}", waiting.command),
    )
    .await;
    waiting.is_refused("awaiting_checker_unseen").await;
    assert_eq!(check(&waiting.system, Method::GET, "").await, json!([]));
    let inspected = waiting.operator.inspect(&waiting.id).await;
    assert_eq!(inspected["attempts"].as_array().unwrap().len(), 1);

    // But an operator's retry may submit the command again. Then the checker can decide again.
    put_before_a_checker(&waiting.system).await;
    waiting.operator.act(&waiting.id, "retry").await;
    let is_up = |operation: &Value| operation["reason_code"] == "awaiting_checker";
    let up = waiting.operator.eventually(&waiting.id, is_up).await;
    let command = &up["attempts"][1]["answer"]["commandId"];
    let reject = format!("/{command}?command=reject");
    check(&waiting.system, Method::POST, &reject).await;
    let end = waiting.gateway.end_of(&waiting.id).await;
    assert_eq!(end["status"], "failed", "{end}");
    assert!(waiting.system.ledger().await.is_empty());
}

/// The answer with the number of the command was lost.
#[sqlx::test]
async fn what_may_wait_for_a_checker_has_not_failed(pool: PgPool) {
    let waiting = Waiting::start(&pool, "develop").await;
    sqlx::query!(
        "UPDATE attempt
            SET answered_at = NULL, status = NULL, cached = NULL, answer = NULL
          WHERE operation_id = $1",
        uuid(&waiting.id)
    )
    .execute(&pool)
    .await
    .unwrap();
    waiting.is_refused("may_await_checker").await;
    let approve = format!("/{}?command=approve", waiting.command);
    check(&waiting.system, Method::POST, &approve).await;
    waiting.is_refused("may_await_checker").await;
    let ended = waiting.operator.resolved(&waiting.id, "succeeded").await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(waiting.system.ledger().await.len(), 1);
}
