//! A key that is revoked is refused by every gateway within a second, also in the middle of a long request.

use std::time::{Duration, Instant};

use fineract_gateway::domain::CredentialKind;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Key, refusals, revoke};
use crate::support::{
    Answer, TestGateway,
    credentials::until_known,
    eventually::eventually,
    fixtures::{client_create, client_update},
};

/// Within which time every gateway hears of a change.
const SECOND: Duration = Duration::from_secs(1);

/// A gateway has more time before its answer has arrived, because other tests make the machine busy. What is heard only
/// because the credentials are read again after a minute is later.
const ARRIVED: Duration = Duration::from_secs(10);

#[sqlx::test]
async fn two_gateways_hear_of_a_change_within_a_second(pool: PgPool) {
    let gateways = [
        TestGateway::start(pool.clone()).await,
        TestGateway::start(pool).await,
    ];
    let [first, second] = &gateways;
    let key = Key::token(first, "acme").await;
    let created = Instant::now();
    let events = "/events";
    assert_eq!(key.get(first, events).await.status, 200);
    until_known(second.address, &key.secret).await;
    assert!(
        created.elapsed() < SECOND + ARRIVED,
        "{:?}",
        created.elapsed()
    );
    let before = refusals(second, "revoked").await;
    revoke(first, &key).await;
    let revoked = Instant::now();
    assert_eq!(
        key.get(first, events).await.problem(),
        (401, "unauthorized".to_owned())
    );
    eventually("the second gateway refuses the key", async || {
        key.get(second, events).await.status == 401
    })
    .await;
    assert!(
        revoked.elapsed() < SECOND + ARRIVED,
        "{:?}",
        revoked.elapsed()
    );
    assert!(refusals(second, "revoked").await > before);
}

#[sqlx::test]
async fn a_long_poll_ends_with_401_when_its_key_is_revoked(pool: PgPool) {
    let gateways = [
        TestGateway::start(pool.clone()).await,
        TestGateway::start(pool).await,
    ];
    let [first, second] = &gateways;
    let key = Key::token(first, "acme").await;
    let id = key.accept(first, &client_create("C-1")).await;
    until_known(second.address, &key.secret).await;
    let track = format!("/fineract/track/{id}");
    let polls = || async {
        let polls = [first, second].map(|gateway| {
            let track = gateway
                .request(Method::GET, &track)
                .header("Prefer", "wait=50");
            let events = gateway.request(Method::GET, "/events?after=now&wait=50");
            [Answer::of(key.with(track)), Answer::of(key.with(events))]
        });
        let answers = join_all(polls.into_iter().flatten()).await;
        (answers, Instant::now())
    };
    // Whether the polls wait already does not matter: those that come later are refused too.
    let ((answers, ended), revoked) = tokio::join!(polls(), async {
        waiting(first).await;
        revoke(first, &key).await;
        Instant::now()
    });
    for answer in answers {
        assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
    }
    let took = ended.saturating_duration_since(revoked);
    assert!(took < SECOND + ARRIVED, "{took:?}");
}

/// Waits until a request that began after the polls was answered, several times.
async fn waiting(gateway: &TestGateway) {
    for _ in 0..20 {
        let answer = Answer::of(gateway.request(Method::GET, "/readyz")).await;
        assert_eq!(answer.status, 200);
    }
}

#[sqlx::test]
async fn a_wait_after_an_acceptance_ends_with_the_acceptance(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let key = Key::token(&gateway, "acme").await;
    let request = gateway
        .request(Method::POST, "/fineract/operate")
        .header("Prefer", "wait=50")
        .json(&client_update("C-1"));
    let (answer, ()) = tokio::join!(Answer::of(key.with(request)), async {
        let is_accepted = async || {
            let list = "/fineract/operations?caller=owner:acme";
            let request = gateway.request(Method::GET, list);
            let request = request.header("X-Internal-Token", crate::support::OPS_TOKEN);
            let list = Answer::of(request).await.json();
            list["operations"]
                .as_array()
                .is_some_and(|all| all.len() == 1)
        };
        eventually("the operation is accepted", is_accepted).await;
        revoke(&gateway, &key).await;
    });
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["status"], "processing");
}

#[sqlx::test]
async fn a_request_whose_body_ends_after_the_revocation_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let key = Key::token(&gateway, "acme").await;
    let body = client_create("C-1").to_string();
    let (beginning, rest) = body.split_at(10);
    let head = format!(
        "POST /fineract/operate HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nX-Internal-Token: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        key.secret,
        body.len()
    );
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let sent = [head.as_bytes(), beginning.as_bytes()].concat();
    stream.write_all(&sent).await.unwrap();
    waiting(&gateway).await;
    revoke(&gateway, &key).await;
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[sqlx::test]
async fn a_stream_ends_when_its_key_is_revoked(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let key = Key::create(
        &gateway,
        CredentialKind::Ops,
        json!({ "scopes": ["ops.read"] }),
    )
    .await;
    let request = gateway.request(Method::GET, "/fineract/events");
    let mut stream = key.with(request).send().await.expect("the gateway answers");
    assert_eq!(stream.status(), 200);
    revoke(&gateway, &key).await;
    let revoked = Instant::now();
    let mut told = String::new();
    while let Some(chunk) = stream.chunk().await.expect("the stream ends well") {
        told.push_str(std::str::from_utf8(&chunk).expect("text"));
    }
    assert!(told.contains("no longer valid"), "{told}");
    assert!(
        revoked.elapsed() < SECOND + ARRIVED,
        "{:?}",
        revoked.elapsed()
    );
    assert_eq!(key.get(&gateway, "/fineract/events").await.status, 401);
}
