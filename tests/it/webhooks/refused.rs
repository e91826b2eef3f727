//! Receivers to which the gateway must not connect.

use std::sync::Arc;

use fineract_gateway::webhooks::Guard;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::{Bed, TIMEOUT, receiver::Receiver};

/// Creates an endpoint with this URL, sends a message to it, and returns why it failed.
async fn fails(bed: &Bed, url: &str) -> String {
    let answer = bed
        .ask(Method::POST, "/endpoints", &json!({ "url": url }))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    bed.at(&answer.json(), Method::POST, "/test", Value::Null)
        .await;
    let newest = bed
        .newest("the try fails", |newest| newest["error"] != Value::Null)
        .await;
    newest["error"].as_str().unwrap().to_owned()
}

#[sqlx::test]
async fn a_url_that_leads_to_a_private_address_is_refused(pool: PgPool) {
    let bed = Bed::start_with(&pool, Guard::default(), TIMEOUT).await;
    for (url, must) in [
        ("https://127.0.0.1/", "must not lead to a private address"),
        (
            "https://[::ffff:10.0.0.1]/",
            "must not lead to a private address",
        ),
        ("http://example.org/", "must begin with https://"),
        (
            "https://user:secret@example.org/",
            "must not contain a user or a password; use headers",
        ),
        ("https://example.org/#x", "must not contain a fragment (#…)"),
        (
            "nonsense",
            "must be a URL, such as https://example.org/hooks",
        ),
    ] {
        let answer = bed
            .ask(Method::POST, "/endpoints", &json!({ "url": url }))
            .await;
        assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
        let error = answer.json()["errors"][0].clone();
        assert_eq!(
            (&error["pointer"], &error["message"]),
            (&json!("/url"), &json!(must))
        );
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
}

#[sqlx::test]
async fn a_name_that_leads_to_a_private_address_is_refused_when_the_gateway_connects(pool: PgPool) {
    let receiver = Receiver::start().await;
    let bed = Bed::start_with(&pool, Guard::new(&[], true), TIMEOUT).await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    assert_eq!(
        fails(&bed, &url).await,
        "the name leads to a private address"
    );
    assert!(receiver.got().is_empty());
}

#[sqlx::test]
async fn an_endpoint_of_other_settings_is_checked_again(pool: PgPool) {
    let receiver = Receiver::start().await;
    let bed = Bed::start(&pool).await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    bed.stop.cancel();
    let strict = Bed::start_with(&pool, Guard::new(&[], true), TIMEOUT).await;
    strict
        .at(&endpoint, Method::POST, "/test", Value::Null)
        .await;
    let newest = strict
        .newest("the try fails", |newest| newest["error"] != Value::Null)
        .await;
    assert_eq!(
        newest["error"],
        "the URL must not lead to a private address"
    );
    assert!(receiver.got().is_empty());
}

#[sqlx::test]
async fn a_receiver_without_a_valid_certificate_gets_nothing(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            assert!(
                acceptor.accept(stream).await.is_err(),
                "the gateway trusts anybody"
            );
        }
    });
    let error = fails(&bed, &format!("https://localhost:{port}/")).await;
    assert!(
        error.starts_with("cannot connect: invalid peer certificate"),
        "{error}"
    );
    assert!(!error.contains("localhost"), "{error}");
}

#[sqlx::test]
async fn a_receiver_that_does_not_listen_is_reported(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = fails(&bed, &format!("http://{address}/in-the-url")).await;
    assert!(error.starts_with("cannot connect: "), "{error}");
    assert!(!error.contains("in-the-url"), "{error}");
}
