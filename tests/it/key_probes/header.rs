//! The header in which keys are sent. A verdict about one header says nothing about another header.

use serde_json::json;
use sqlx::PgPool;

use super::{asking, eventually_reported, eventually_waits};
use crate::support::fixtures::{approve, client, disburse};

#[sqlx::test]
async fn a_renamed_header_is_noticed_and_can_be_set(pool: PgPool) {
    let mut system = asking(&pool).await;
    let header = "X-Command-Key";
    system.restart_with_keys(json!({ "header": header })).await;
    let gateway = system.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    eventually_waits(&gateway, &id, "keys_not_honoured").await;
    assert!(gateway.shut_down().await);
    system.set("FINERACT_IDEMPOTENCY_HEADER", header);
    let gateway = system.gateway().await;
    let end = gateway.end_of(&id).await;
    assert_eq!(end["status"], "success", "{end}");
}

/// A gateway may use another header than the gateway that made the key probe: by mistake, or while a new setting is
/// rolled out. Such a gateway makes key probes of its own.
#[sqlx::test]
async fn a_verdict_is_of_one_header(pool: PgPool) {
    let mut system = asking(&pool).await;
    let gateway = system.gateway().await;
    for loan_id in ["L-1", "L-2"] {
        gateway.file(loan_id).await;
        gateway.succeeds("LOAN_APPROVE", approve(loan_id)).await;
    }
    // Fineract must refuse a disbursement of loan L-3, which is not approved. So L-3 can be used for the key probe.
    gateway.file("L-3").await;
    gateway.succeeds("LOAN_DISBURSE", disburse("L-1")).await;
    assert!(gateway.shut_down().await);
    system.set("FINERACT_IDEMPOTENCY_HEADER", "X-Idempotency-Kee");
    let gateway = system.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-2")).await;
    eventually_reported(&gateway, &["disburse"]).await;
    eventually_waits(&gateway, &id, "keys_not_honoured").await;
    assert!(gateway.shut_down().await);
    system.set("FINERACT_IDEMPOTENCY_HEADER", "Idempotency-Key");
    let gateway = system.gateway().await;
    assert_eq!(gateway.end_of(&id).await["status"], "success");
    // Fineract stored the commands under the wrong header without a key. So keys are honoured only from now on, not
    // since the start of Fineract.
    let since = sqlx::query_scalar!(
        r#"SELECT honoured_since > now() - interval '1 minute' AND honoured_since > process_started AS "is_new!"
             FROM (SELECT honoured_since, to_timestamp(process_start::float8) AS process_started
                     FROM key_probe WHERE command = 'disburse') verdict"#
    );
    assert!(since.fetch_one(&pool).await.unwrap());
}
