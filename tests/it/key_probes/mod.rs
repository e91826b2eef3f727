//! Key probes of the sandbox, which may ignore keys.

mod header;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    OPS_TOKEN,
    caller::Caller,
    database::{make_due, stop_retries},
    eventually::{eventually_ok, while_waiting},
    fixtures::{approve, client, disburse, loan, of_loan, rename, repayment},
    operators::Operator,
    system::System,
};

/// A system whose gateways do not know yet whether keys are honoured. It has a token for an operator.
async fn asking(pool: &PgPool) -> System {
    let mut system = System::asking(pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system
}

/// The verdicts: the kind of command, whether its keys are honoured, and the lane on which it was probed.
async fn verdicts(pool: &PgPool) -> Vec<(String, Option<bool>, Option<String>)> {
    sqlx::query!("SELECT command, honoured, subject FROM key_probe ORDER BY command")
        .fetch_all(pool)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.command, row.honoured, row.subject))
        .collect()
}

/// Waits until the gateway reports that the keys of these kinds of command are ignored. It must be ready all the time.
async fn eventually_reported(gateway: &Caller, kinds: &[&str]) {
    eventually_ok("the gateway reports these kinds of command", async || {
        let answer = gateway.get("/readyz").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let ignored = answer.json()["keys_not_honoured"].take();
        if ignored == json!(kinds) || (kinds.is_empty() && ignored.is_null()) {
            Ok(())
        } else {
            Err(answer.text)
        }
    })
    .await;
}

/// Waits until the operation has this reason code. It must be neither parked nor failed then.
async fn eventually_waits(gateway: &Caller, id: &str, reason_code: &str) {
    let operator = Operator::of(gateway.address);
    let waits = |operation: &Value| operation["reason_code"] == reason_code;
    let operation = operator.eventually(id, waits).await;
    assert_ne!(operation["state"], "parked", "{operation:#}");
    assert_ne!(operation["state"], "failed", "{operation:#}");
}

/// The number of effects with this action on this kind of object.
async fn effects(system: &System, action: &str, entity: &str) -> usize {
    let ledger = system.ledger().await;
    let is_it = |line: &&Value| line["action"] == action && line["entity"] == entity;
    ledger.iter().filter(is_it).count()
}

#[sqlx::test]
async fn the_first_loan_of_a_fresh_installation_goes_through(pool: PgPool) {
    let system = asking(&pool).await;
    let gateway = system.gateway().await;
    gateway.pay_out("L-1").await;
    gateway
        .succeeds("LOAN_REPAYMENT", repayment("L-1", 5_000.0))
        .await;
    // For some kinds of command there was no object for a key probe. The gateway probed them by repeating a command
    // that had succeeded.
    let expected: Vec<_> = [
        "approve",
        "create_client",
        "create_loan",
        "disburse",
        "repay",
    ]
    .map(|kind| (kind.to_owned(), Some(true), None))
    .into();
    assert_eq!(verdicts(&pool).await, expected);
    assert_eq!(
        system.ledger().await.len(),
        5,
        "each command has one effect"
    );
}

#[sqlx::test]
async fn a_probe_is_made_where_the_state_forbids_the_command(pool: PgPool) {
    let system = asking(&pool).await;
    let gateway = system.gateway().await;
    gateway.pay_out("Paid").await;
    gateway.file("Pending").await;
    assert!(gateway.shut_down().await);
    sqlx::query!("DELETE FROM key_probe")
        .execute(&pool)
        .await
        .unwrap();
    let gateway = system.gateway().await;
    let effects = system.ledger().await.len();
    gateway.succeeds("CLIENT_UPDATE", rename("C-Paid")).await;
    gateway.succeeds("CLIENT_CREATE", client("C-3")).await;
    gateway.succeeds("LOAN_CREATE", loan("L-3", "C-3")).await;
    gateway.succeeds("LOAN_APPROVE", approve("L-3")).await;
    // The gateway forgets the number of L-3, so it cannot use L-3 for a key probe. It uses the pending loan.
    sqlx::query!(
        "UPDATE lane SET resource_id = NULL WHERE key = $1",
        "loan:l-3"
    )
    .execute(&pool)
    .await
    .unwrap();
    gateway.succeeds("LOAN_DISBURSE", disburse("L-3")).await;
    gateway
        .succeeds("LOAN_REPAYMENT", repayment("L-3", 5_000.0))
        .await;
    gateway.succeeds("LOAN_DELETE", of_loan("Pending")).await;
    let expected: Vec<_> = [
        ("approve", Some("loan:paid")),
        ("create_client", None),
        ("create_loan", None),
        ("disburse", Some("loan:pending")),
        ("reject", Some("loan:paid")),
        ("repay", Some("loan:pending")),
        ("update_client", Some("client:c-3")),
    ]
    .map(|(kind, on)| (kind.to_owned(), Some(true), on.map(str::to_owned)))
    .into();
    let found: Vec<_> = verdicts(&pool).await;
    let kinds = |verdicts: &[(String, Option<bool>, Option<String>)]| {
        verdicts
            .iter()
            .filter(|verdict| verdict.0 != "update_client")
            .cloned()
            .collect::<Vec<_>>()
    };
    // The probe of an update may use any client, so this verdict is not compared.
    assert_eq!(kinds(&found), kinds(&expected));
    assert_eq!(found.len(), expected.len());
    assert_eq!(
        system.ledger().await.len(),
        effects + 7,
        "no probe has an effect"
    );
}

#[sqlx::test]
async fn what_fineract_ignores_the_keys_of_waits_until_it_is_mended(pool: PgPool) {
    let system = asking(&pool).await;
    system.restart_with_keys(json!({ "ignored": true })).await;
    let gateway = system.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    eventually_waits(&gateway, &id, "keys_not_honoured").await;
    eventually_reported(&gateway, &["create_client"]).await;
    let metrics = gateway.get("/metrics").await.text;
    assert!(
        metrics.contains(r#"gateway_keys_not_honoured{command="create_client"} 1"#),
        "{metrics}"
    );
    assert_eq!(system.ledger().await, Vec::<Value>::new());

    system.restart_with_keys(json!({})).await;
    let end = gateway.end_of(&id).await;
    assert_eq!(end["status"], "success", "{end}");
    eventually_reported(&gateway, &[]).await;
}

#[sqlx::test]
async fn only_the_kind_waits_whose_keys_are_ignored(pool: PgPool) {
    let system = asking(&pool).await;
    system
        .restart_with_keys(json!({ "ignored": ["CREATE_LOAN"] }))
        .await;
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("C-1")).await;
    let id = gateway.send("LOAN_CREATE", loan("L-1", "C-1")).await;
    eventually_waits(&gateway, &id, "keys_not_honoured").await;
    gateway.succeeds("CLIENT_CREATE", client("C-2")).await;
    eventually_reported(&gateway, &["create_loan"]).await;
}

/// The first approval could not be probed before. After its success, the gateway repeated it under the same key:
/// Fineract refused it and did not return the stored answer.
#[sqlx::test]
async fn a_first_success_tells_that_keys_are_ignored(pool: PgPool) {
    let system = asking(&pool).await;
    system
        .restart_with_keys(json!({ "ignored": ["APPROVE_LOAN"] }))
        .await;
    let gateway = system.gateway().await;
    gateway.file("L-1").await;
    gateway.file("L-2").await;
    gateway.succeeds("LOAN_APPROVE", approve("L-1")).await;
    eventually_reported(&gateway, &["approve"]).await;
    let id = gateway.send("LOAN_APPROVE", approve("L-2")).await;
    eventually_waits(&gateway, &id, "keys_not_honoured").await;
    assert_eq!(effects(&system, "APPROVE", "LOAN").await, 1);
}

/// A verdict about an earlier process of Fineract does not keep commands back if no key probe is possible now.
#[sqlx::test]
async fn a_mended_fineract_of_which_nothing_can_be_asked_is_tried(pool: PgPool) {
    let system = asking(&pool).await;
    system
        .restart_with_keys(json!({ "ignored": ["APPROVE_LOAN"] }))
        .await;
    let gateway = system.gateway().await;
    gateway.file("L-1").await;
    gateway.file("L-2").await;
    gateway.succeeds("LOAN_APPROVE", approve("L-1")).await;
    eventually_reported(&gateway, &["approve"]).await;
    // The gateway forgets the number of the only loan on which an approval can be probed.
    sqlx::query!(
        "UPDATE lane SET resource_id = NULL WHERE key = $1",
        "loan:l-1"
    )
    .execute(&pool)
    .await
    .unwrap();
    let id = gateway.send("LOAN_APPROVE", approve("L-2")).await;
    eventually_waits(&gateway, &id, "keys_not_honoured").await;
    system.restart_with_keys(json!({})).await;
    let end = gateway.end_of(&id).await;
    assert_eq!(end["status"], "success", "{end}");
    eventually_reported(&gateway, &[]).await;
}

/// Fineract ignores keys. An update takes effect, but its answer is lost. Then Fineract honours keys again, but it has
/// no record of the update's key.
#[sqlx::test]
async fn what_was_sent_while_keys_were_ignored_is_read_before_it_is_sent_again(pool: PgPool) {
    let system = asking(&pool).await;
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("C-1")).await;
    gateway
        .succeeds(
            "CLIENT_UPDATE",
            json!({ "externalId": "C-1", "firstname": "Asha" }),
        )
        .await;
    stop_retries(&pool).await;
    system.restart_with_keys(json!({ "ignored": true })).await;
    system
        .fault(json!({ "match": { "method": "PUT", "path": "/clients" }, "fault": "reset_after" }))
        .await;
    let id = gateway.send("CLIENT_UPDATE", rename("C-1")).await;
    eventually_waits(&gateway, &id, "connection_closed").await;
    make_due(&pool).await;
    eventually_waits(&gateway, &id, "keys_not_honoured").await;
    assert_eq!(effects(&system, "UPDATE", "CLIENT").await, 2);

    system.restart_with_keys(json!({})).await;
    let end = while_waiting(gateway.end_of(&id), async || make_due(&pool).await).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(effects(&system, "UPDATE", "CLIENT").await, 2);
}
