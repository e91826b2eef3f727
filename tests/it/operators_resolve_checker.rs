//! What waits for a checker in Fineract has not failed, whatever an operator says.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    OPS_TOKEN, client_create,
    operators::{Operator, park, uuid},
    system::System,
};

/// A checker rejects a command.
async fn reject(system: &System, command: &Value) {
    let url = format!(
        "http://{}/fineract-provider/api/v1/makercheckers/{command}?command=reject",
        system.sandbox
    );
    let client = Client::builder().no_proxy().build().expect("a client");
    let request = client
        .request(Method::POST, url)
        .header("Fineract-Platform-TenantId", "default")
        .basic_auth("mifos", Some("password"));
    let answer = request.send().await.expect("the sandbox answers");
    assert!(answer.status().is_success(), "{}", answer.status());
}

#[sqlx::test]
async fn a_command_that_waits_is_seen_in_the_list_until_it_is_rejected(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system.set("FINERACT_STUCK_AFTER_SECONDS", "1");
    let gateway = system.gateway().await;
    let operator = Operator::of(gateway.address);
    let checked = |method: &str, path: &str, fault: &str| json!({ "match": { "method": method, "path": path }, "fault": fault });
    system
        .fault(checked("POST", "/clients", "maker_checker"))
        .await;
    let data = client_create("C")["data"].clone();
    let id = gateway.send("CLIENT_CREATE", data).await;
    let waiting = operator
        .once(&id, |operation| {
            operation["why"] == "awaiting_checker" && operation["state"] == "ready"
        })
        .await;
    park(&pool, &id).await;
    // Long ago, so that a look alone decides.
    sqlx::query!("UPDATE attempt SET sent_at = sent_at - interval '1 hour'")
        .execute(&pool)
        .await
        .unwrap();

    let still_waits = async || {
        let parked = operator.resolved(&id, "failed").await;
        assert_eq!(
            (&parked["state"], &parked["why"]),
            (&"parked".into(), &"awaiting_checker".into())
        );
    };
    still_waits().await;
    // Nor when the list cannot be read.
    system
        .fault(checked("GET", "/makercheckers", "forbidden"))
        .await;
    still_waits().await;
    // Nor when the answer that said so was lost.
    sqlx::query!(
        "UPDATE attempt
            SET answered_at = NULL, status = NULL, cached = NULL, answer = NULL
          WHERE operation_id = $1",
        uuid(&id)
    )
    .execute(&pool)
    .await
    .unwrap();
    still_waits().await;

    reject(&system, &waiting["attempts"][0]["answer"]["commandId"]).await;
    let ended = operator.resolved(&id, "failed").await;
    assert_eq!(ended["state"], "failed");
    assert_eq!(ended["result"]["code"], "resolved_as_failed");
    assert!(system.ledger().await.is_empty());
}
