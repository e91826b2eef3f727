//! Two operators of one name, one after the other: the audit tells them apart by their keys.

use fineract_gateway::domain::CredentialKind;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Key, revoke};
use crate::{
    operators_repairs::bed::Bed,
    support::{fixtures::client_create, operators::REASON},
};

#[sqlx::test]
async fn the_audit_has_the_key_of_each_operator(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let gateway = &bed.gateway;
    let mut keys = Vec::new();
    for client in ["C-1", "C-2"] {
        let key = Key::create(gateway, CredentialKind::Ops, json!({ "name": "ann" })).await;
        let id = gateway.accept(&client_create(client)).await;
        let path = format!("/fineract/operations/{id}/cancel");
        let answer = key.post(gateway, &path, &json!({ "reason": REASON })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        if client == "C-2" {
            repair(&bed, &key).await;
        }
        revoke(gateway, &key).await;
        keys.push(Value::String(key.id));
    }
    let audit = bed.operator.get("/audit?operator=ann").await.json();
    let rows = audit["actions"].as_array().expect("actions").iter().rev();
    let rows: Vec<_> = rows
        .map(|row| (row["action"].clone(), row["credential_id"].clone()))
        .collect();
    let expected = [
        ("cancel", &keys[0]),
        ("cancel", &keys[1]),
        ("start_repair", &keys[1]),
        ("hold", &keys[1]),
    ]
    .map(|(action, key)| (json!(action), key.clone()));
    assert_eq!(rows, expected);
    // Those who used a secret of the settings have none.
    let audit = bed.operator.get("/audit?operator=admin").await.json();
    assert_eq!(audit["actions"][0]["credential_id"], Value::Null);
}

/// The operator with this key puts an operation on hold by a repair, which is carried out later.
async fn repair(bed: &Bed, key: &Key) {
    bed.gateway.accept(&client_create("C-3")).await;
    let body = json!({ "action": "hold", "filter": { "state": "open" }, "reason": REASON, "dry_run": false, "expected": 1 });
    let answer = key.post(&bed.gateway, "/fineract/repairs", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let started = answer.json();
    bed.run(started["id"].as_str().expect("an id")).await;
}
