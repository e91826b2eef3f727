//! How often, from where and for what a key may be used, and how often somebody may try a wrong secret.

use fineract_gateway::domain::CredentialKind;
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use super::{Key, refusals};
use crate::support::{
    Answer, TOKEN, TestGateway,
    database::eventually_true,
    fixtures::{client_create, loan_create},
};

#[sqlx::test]
async fn the_21st_wrong_secret_of_an_address_is_not_looked_at(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let key = Key::token(&gateway, "acme").await;
    let wrong = |number: usize| {
        let token = match number % 3 {
            0 => "wrong".to_owned(),
            1 => key
                .secret
                .replace(&key.id.replace('-', ""), &"0".repeat(32)),
            _ => format!("{}!", &key.secret[..key.secret.len() - 1]),
        };
        gateway
            .request(Method::GET, "/events")
            .header("X-Internal-Token", token)
    };
    // No secret, or the secret of a key that is no longer valid, is no guess.
    for _ in 0..30 {
        assert_eq!(
            Answer::of(gateway.request(Method::GET, "/events"))
                .await
                .status,
            401
        );
    }
    for number in 0..20 {
        assert_eq!(Answer::of(wrong(number)).await.status, 401, "{number}");
    }
    let before = refusals(&gateway, "too_many_wrong_secrets").await;
    let limited = Answer::of(wrong(20)).await;
    assert_eq!(
        limited.problem(),
        (429, "too_many_wrong_secrets".to_owned())
    );
    let wait: u64 = limited.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    // A right secret is not looked at either, whatever its kind.
    assert_eq!(key.get(&gateway, "/events").await.status, 429);
    assert_eq!(
        Answer::of(gateway.get("/events")).await.status,
        429,
        "{TOKEN}"
    );
    let bulk = gateway
        .request(Method::POST, "/bulk/status")
        .header("client_secret", "x");
    let bulk = Answer::of(bulk).await;
    assert_eq!(
        bulk.json()["errorCode"],
        "TooManyWrongSecrets",
        "{}",
        bulk.text
    );
    let transaction = gateway
        .request(Method::GET, "/transactions/x")
        .header("Authorization", "Token x");
    let transaction = Answer::of(transaction).await;
    assert_eq!(
        transaction.json()["error"]["code"],
        "too_many_wrong_secrets",
        "{}",
        transaction.text
    );
    // All gateways of this process count together.
    let counted = refusals(&gateway, "too_many_wrong_secrets").await - before;
    assert!(counted >= 5, "{counted}");
    assert_eq!(
        Answer::of(gateway.request(Method::GET, "/readyz"))
            .await
            .status,
        200
    );
}

#[sqlx::test]
async fn a_key_has_a_rate(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let key = Key::create(
        &gateway,
        CredentialKind::InternalToken,
        json!({ "rate": 3 }),
    )
    .await;
    let other = Key::token(&gateway, "acme").await;
    for _ in 0..3 {
        assert_eq!(key.get(&gateway, "/events").await.status, 200);
    }
    let refused = key.get(&gateway, "/events").await;
    assert_eq!(refused.problem(), (429, "rate_used_up".to_owned()));
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(other.get(&gateway, "/events").await.status, 200);
}

#[sqlx::test]
async fn a_key_is_bound_to_addresses(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for (addresses, status) in [
        (json!(["10.0.0.0/8"]), 403),
        (json!(["10.0.0.0/8", "127.0.0.1"]), 200),
        (json!(["127.0.0.0/8"]), 200),
        (json!(["::1"]), 403),
    ] {
        let settings = json!({ "addresses": addresses });
        let key = Key::create(&gateway, CredentialKind::InternalToken, settings).await;
        let answer = key.get(&gateway, "/events").await;
        assert_eq!(answer.status, status, "{addresses}");
        if status == 403 {
            assert_eq!(answer.problem().1, "foreign_address");
        }
    }
}

#[sqlx::test]
async fn a_key_may_be_bound_to_types_and_lenders(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operate = "/fineract/operate";
    let settings = json!({ "operation_types": ["LOAN_CREATE"], "lenders": ["DMI"] });
    let key = Key::create(&gateway, CredentialKind::InternalToken, settings).await;
    let answer = key.post(&gateway, operate, &client_create("C-1")).await;
    assert_eq!(answer.problem(), (403, "type_not_permitted".to_owned()));
    let answer = key
        .post(&gateway, operate, &loan_create("L-1", "C-1"))
        .await;
    assert_eq!(answer.problem(), (403, "lender_not_permitted".to_owned()));
    let settings = json!({ "operation_types": ["LOAN_CREATE"], "lenders": ["UGRO"] });
    let key = Key::create(&gateway, CredentialKind::InternalToken, settings.clone()).await;
    key.accept(&gateway, &loan_create("L-1", "C-1")).await;
    // In a batch, the row is refused.
    let client = Key::create(&gateway, CredentialKind::BulkClient, settings).await;
    let batch = json!({
        "reference_id": "b-1",
        "operations": [loan_create("L-2", "C-1"), client_create("C-2")],
    });
    let answer = client.post(&gateway, "/bulk/schedule", &batch).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let problem = &answer.json()["errors"][0];
    assert_eq!(problem["row"], 2);
    assert_eq!(problem["code"], "type_not_permitted");
    assert_eq!(problem["pointer"], "/status");
}

#[sqlx::test]
async fn a_bulk_client_sends_its_own_id(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut client = Key::create(&gateway, CredentialKind::BulkClient, json!({})).await;
    let body = json!({ "reference_id": "nothing" });
    assert_eq!(
        client.post(&gateway, "/bulk/status", &body).await.status,
        404
    );
    client.id = uuid::Uuid::new_v4().to_string();
    let answer = client.post(&gateway, "/bulk/status", &body).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
}

#[sqlx::test]
async fn the_last_use_is_recorded_to_the_minute(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let key = Key::token(&gateway, "acme").await;
    let id = uuid::Uuid::try_parse(&key.id).expect("an id");
    let table = gateway.store.credentials();
    table
        .record_uses(vec![id])
        .await
        .expect("the database is there");
    let recorded = "SELECT used_at = date_trunc('minute', used_at) AND used_at > now() - interval '2 min' FROM credential_use";
    eventually_true(&pool, recorded).await;
    let found = table
        .find(&key.id)
        .await
        .expect("an answer")
        .expect("the key");
    assert!(found.used_at.is_some());
}
