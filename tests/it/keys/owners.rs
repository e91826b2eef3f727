//! An owner sees only its own; another owner's is not there.

use fineract_gateway::domain::CredentialKind;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::Key;
use crate::support::{
    API_KEY, Answer, TestGateway,
    eventually::eventually_ok,
    fixtures::{client_create, done, loan_disburse},
};

const TYPES: [CredentialKind; 3] = [
    CredentialKind::InternalToken,
    CredentialKind::ApiKey,
    CredentialKind::BulkClient,
];

/// The keys of one owner: a token, an API key and a bulk client.
async fn keys(gateway: &TestGateway, owner: &str) -> [Key; 3] {
    let [token, reader, client] = TYPES;
    let settings = json!({ "owner": owner });
    [
        Key::create(gateway, token, settings.clone()).await,
        Key::create(gateway, reader, settings.clone()).await,
        Key::create(gateway, client, settings).await,
    ]
}

fn code(answer: &Answer) -> (u16, Value) {
    let body = answer.json();
    let code = [&body["code"], &body["error"]["code"], &body["errorCode"]];
    let code = code.into_iter().find(|code| code.is_string());
    (answer.status.as_u16(), code.cloned().unwrap_or_default())
}

#[sqlx::test]
async fn operations_and_transactions_of_others_are_not_there(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let [token, reader, _] = keys(&gateway, "acme").await;
    let [other_token, other_reader, _] = keys(&gateway, "other").await;
    let id = token.accept(&gateway, &loan_disburse("L-1")).await;
    let track = format!("/fineract/track/{id}");
    let transaction = format!("/transactions/{}", id.split_once('|').expect("an id").1);
    let many = json!({ "tracking_ids": [id] });
    let settings = json!({ "owner": "other", "scopes": ["track", "track.all"] });
    let sees_all = Key::create(&gateway, CredentialKind::InternalToken, settings).await;
    let settings = json!({ "owner": "other", "scopes": ["transactions", "transactions.all"] });
    let reads_all = Key::create(&gateway, CredentialKind::ApiKey, settings).await;
    // Before it has ended and afterwards: then this process has it in memory.
    for _ in 0..2 {
        for (key, status) in [(&token, 200), (&other_token, 404), (&sees_all, 200)] {
            let answer = key.get(&gateway, &track).await;
            assert_eq!(answer.status, status, "{}", answer.text);
            if status == 404 {
                assert_eq!(answer.problem().1, "unknown_tracking_id");
            }
            let answer = key.post(&gateway, "/fineract/track", &many).await.json();
            let field = if status == 200 {
                "operations"
            } else {
                "unknown"
            };
            assert_eq!(answer[field].as_array().map(Vec::len), Some(1), "{answer}");
        }
        for (key, status) in [(&reader, 200), (&other_reader, 404), (&reads_all, 200)] {
            let answer = key.get(&gateway, &transaction).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
        // The credentials of the settings see all, as before.
        assert_eq!(Answer::of(gateway.get(&track)).await.status, 200);
        gateway
            .transaction_status(&transaction["/transactions/".len()..])
            .await;
        if gateway.track(&id).await["status"] == "processing" {
            gateway.end_next(done()).await;
        }
    }
    assert!(!API_KEY.is_empty());
}

#[sqlx::test]
async fn callers_keys_are_those_of_the_owner(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let [token, ..] = keys(&gateway, "acme").await;
    let same_owner = Key::token(&gateway, "acme").await;
    let other = Key::token(&gateway, "other").await;
    let of_settings = Key::token(&gateway, "token:los").await;
    let send = async |key: &Key| {
        let request = gateway.request(Method::POST, "/fineract/operate");
        let request = request
            .header("Idempotency-Key", "order-1")
            .json(&client_create("C-1"));
        let answer = Answer::of(key.with(request)).await.json();
        answer["tracking_id"].as_str().expect("an id").to_owned()
    };
    let first = send(&token).await;
    assert_eq!(send(&same_owner).await, first);
    let others = send(&other).await;
    assert_ne!(others, first);
    // Whoever goes over from a token of the settings to a key keeps what the token has sent.
    let request = gateway.post("/fineract/operate", client_create("C-1").to_string());
    let answer = Answer::of(request.header("Idempotency-Key", "order-1")).await;
    let of_token = answer.json()["tracking_id"].take();
    assert_eq!(of_token, send(&of_settings).await);
    let track = format!("/fineract/track/{}", of_token.as_str().expect("an id"));
    assert_eq!(of_settings.get(&gateway, &track).await.status, 200);
    assert_eq!(other.get(&gateway, &track).await.status, 404);
}

#[sqlx::test]
async fn batches_and_events_are_those_of_the_owner(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let [token, _, client] = keys(&gateway, "acme").await;
    let [other_token, _, other_client] = keys(&gateway, "other").await;
    let batch = json!({ "reference_id": "b-1", "operations": [client_create("C-1")] });
    let answer = client.post(&gateway, "/bulk/schedule", &batch).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let status = json!({ "reference_id": "b-1" });
    let shown = client.post(&gateway, "/bulk/status", &status).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    let others = other_client.post(&gateway, "/bulk/status", &status).await;
    assert_eq!(code(&others), (404, json!("BatchNotFound")));
    // The name of a batch is the owner's own.
    let answer = other_client.post(&gateway, "/bulk/schedule", &batch).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let record = &shown.json()["records"][0];
    let row = record.clone();
    let id = token.accept(&gateway, &client_create("C-2")).await;
    for _ in 0..3 {
        gateway.end_next(done()).await;
    }
    for (keys, expected) in [
        // The operation of the batch, the batch, and the operation of the token.
        ([&token, &client], 3),
        ([&other_token, &other_client], 2),
    ] {
        for key in keys {
            let events = eventually_ok("all events are numbered", async || {
                let page = key.get(&gateway, "/events").await.json();
                let events = page["events"].as_array().expect("events").clone();
                if events.len() == expected {
                    Ok(events)
                } else {
                    Err(events)
                }
            })
            .await;
            assert!(
                events.iter().all(|event| !event["data"].is_null()),
                "{events:?}"
            );
            let has = events
                .iter()
                .any(|event| event["data"]["tracking_id"] == *id);
            assert_eq!(has, expected == 3, "{row}");
        }
    }
}

#[sqlx::test]
async fn webhooks_are_those_of_the_owner(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let [token, _, client] = keys(&gateway, "acme").await;
    let other = Key::token(&gateway, "other").await;
    let endpoint = json!({ "url": "https://receiver.example.org/hook" });
    let created = token.post(&gateway, "/webhooks/endpoints", &endpoint).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let path = format!(
        "/webhooks/endpoints/{}",
        created.json()["id"].as_str().expect("an id")
    );
    for (key, status) in [(&token, 200), (&client, 200), (&other, 404)] {
        assert_eq!(key.get(&gateway, &path).await.status, status);
    }
}
