//! Two secrets of one key are valid side by side for a while.

use fineract_gateway::domain::CredentialKind;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Key, run};
use crate::support::{TestGateway, eventually::eventually, operators::Operator};

async fn rotate(gateway: &TestGateway, key: &Key, hours: u64) -> Key {
    let path = format!("/keys/{}/rotate", key.id);
    let body = json!({ "overlap_hours": hours });
    let answer = Operator::of(gateway.address).post(&path, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    Key::of(&answer.json(), CredentialKind::InternalToken)
}

async fn statuses(gateway: &TestGateway, keys: [&Key; 3]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for key in keys {
        statuses.push(key.get(gateway, "/events").await.status.as_u16());
    }
    statuses
}

#[sqlx::test]
async fn the_secrets_before_the_newest_stay_valid_until_the_overlap_is_over(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let first = Key::token(&gateway, "acme").await;
    let second = rotate(&gateway, &first, 24).await;
    assert_eq!(second.id, first.id);
    assert_eq!(
        statuses(&gateway, [&first, &second, &second]).await,
        [200, 200, 200]
    );
    // The answer to the first rotation may have been lost: a second one ends no secret that is in use.
    let third = rotate(&gateway, &first, 24).await;
    assert_eq!(
        statuses(&gateway, [&first, &second, &third]).await,
        [200, 200, 200]
    );
    run(
        &pool,
        "UPDATE credential_secret SET valid_until = now() WHERE valid_until IS NOT NULL",
    )
    .await;
    eventually("the overlap is over", async || {
        statuses(&gateway, [&first, &second, &third]).await == [401, 401, 200]
    })
    .await;
    let without = rotate(&gateway, &first, 0).await;
    assert_eq!(
        statuses(&gateway, [&second, &third, &without]).await,
        [401, 401, 200]
    );
}

#[sqlx::test]
async fn what_was_done_is_in_the_audit_and_no_secret_is(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let key = Key::token(&gateway, "acme").await;
    let newer = rotate(&gateway, &key, 24).await;
    super::revoke(&gateway, &key).await;
    let audit = operator.get("/audit").await.json();
    let rows = audit["actions"].as_array().expect("actions");
    let actions: Vec<&Value> = rows.iter().map(|row| &row["action"]).collect();
    assert_eq!(actions, ["revoke_key", "rotate_key", "create_key"]);
    let stored: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(c)::text FROM credential c UNION ALL SELECT row_to_json(s)::text FROM credential_secret s
          UNION ALL SELECT row_to_json(a)::text FROM audit a",
    )
    .fetch_all(&pool)
    .await
    .expect("the database is there");
    let shown = operator.get(&format!("/keys/{}", key.id)).await.text;
    for secret in [&key.secret, &newer.secret] {
        let random = secret.rsplit_once('_').expect("a secret").1;
        assert!(
            stored
                .iter()
                .chain([&shown, &audit.to_string()])
                .all(|text| !text.contains(random))
        );
    }
}
