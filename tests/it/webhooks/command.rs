//! `fineract-gateway webhooks`.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    Bed,
    receiver::{Receiver, Reply},
};
use crate::{
    cli_caller::{Follower, los, printed},
    support::fixtures::{client_create, done, refused},
};

#[sqlx::test]
async fn a_listener_gets_what_a_webhook_would_get(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let gateway = &bed.gateway;
    // What happened before is not sent.
    gateway.accept(&client_create("Z")).await;
    gateway.end_next(done()).await;
    crate::events::numbered(&pool, 1).await;
    let (webhook, local) = (Receiver::start().await, Receiver::start().await);
    let endpoint = bed.endpoint(&webhook, json!({})).await;
    let url = local.url();
    let arguments = ["webhooks", "listen", "--forward-to", &url, "--print-json"];
    let mut listener = Follower::start(gateway.address, &arguments);
    let secret = listener.line().await;
    let secret = Value::from(secret.strip_prefix("secret  ").expect("a secret"));
    assert_eq!(
        listener.line().await,
        format!("events are sent to {url} until Ctrl-C")
    );
    local.replies([Reply::Status(500)]);
    let failed = gateway.accept(&client_create("A")).await;
    gateway.end_next(refused()).await;
    let line = listener.line().await;
    let said = format!(
        "  operation.failed     {failed}  refused  not delivered: the receiver answered 500 Internal Server Error"
    );
    assert!(line.ends_with(&said), "{line}");
    let body = listener.line().await;
    let succeeded = gateway.accept(&client_create("B")).await;
    gateway.end_next(done()).await;
    let line = listener.line().await;
    let said = format!("  operation.succeeded  {succeeded}  200 after ");
    assert!(line.contains(&said), "{line}");

    // What was not delivered is not sent again, and both are what the gateway itself has sent.
    let (got, expected) = (local.got(), webhook.gets(2).await);
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].body, body);
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!(got.body, expected.body);
        for name in ["webhook-id", "content-type"] {
            assert_eq!(got.header(name), expected.header(name));
        }
        assert!(got.is_signed_by(&secret));
        assert!(!got.is_signed_by(&endpoint["secret"]));
    }
    let (code, errors) = listener.interrupt().await;
    assert_eq!((code, errors.as_str()), (Some(0), ""));
}

#[sqlx::test]
async fn a_listener_chooses_its_types_and_its_receiver(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let gateway = &bed.gateway;
    let local = Receiver::start().await;
    let url = local.url();
    let listen = ["webhooks", "listen", "--forward-to"];
    let types = "operation.failed,operation.parked";
    let arguments = [&listen[..], &[&url, "--events", types]].concat();
    let mut listener = Follower::start(gateway.address, &arguments);
    listener.line().await;
    listener.line().await;
    gateway.accept(&client_create("A")).await;
    gateway.end_next(done()).await;
    let failed = gateway.accept(&client_create("B")).await;
    gateway.end_next(refused()).await;
    let line = listener.line().await;
    assert!(line.contains("  operation.failed "), "{line}");
    let got = local.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].says(), format!("operation.failed {failed}"));

    for (arguments, said) in [
        (&["ftp://127.0.0.1/"][..], "must begin with https://"),
        (&[&url, "--events", "failed"], "operation.failed"),
    ] {
        let ended = los(gateway.address, &[&listen[..], arguments].concat()).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stdout);
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
}

#[sqlx::test]
async fn endpoints_are_created_tested_and_listed(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let address = bed.gateway.address;
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let types = "operation.failed,operation.parked";
    let create = ["webhooks", "create", &url, "--events", types, "--ordered"];
    let created = printed(address, &create).await;
    let (line, secret) = created.split_once("\nsecret  ").expect("two lines");
    let (id, rest) = line.split_once("  ").expect("an id");
    assert_eq!(rest, format!("{url}  {types}  enabled"));
    assert_eq!(
        printed(address, &["webhooks", "list"]).await,
        format!("{line}\n")
    );
    let listed = printed(address, &["webhooks", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["endpoints"][0]["ordered"], true);

    let sent = printed(address, &["webhooks", "test", id]).await;
    let delivery = sent.trim().strip_prefix("delivery  ").expect("an id");
    let got = receiver.gets(1).await;
    assert_eq!(got[0].says(), format!("webhook.test {id}"));
    assert!(got[0].is_signed_by(&secret.trim().into()));
    bed.newest("it is recorded", |newest| newest["state"] == "delivered")
        .await;
    let listed = printed(address, &["webhooks", "deliveries", "--endpoint", id]).await;
    assert!(
        listed.starts_with(&format!("{delivery}  delivered  ")),
        "{listed}"
    );
    assert!(
        listed.ends_with("  webhook.test         -  try 1  200  \n"),
        "{listed}"
    );
    let waiting = ["webhooks", "deliveries", "--state", "waiting"];
    assert_eq!(printed(address, &waiting).await, "");
    assert_eq!(
        printed(address, &["webhooks", "resend", delivery]).await,
        sent
    );
    receiver.gets(2).await;

    let wrong = ["webhooks", "create", "example.org", "--events", "failed"];
    let wrong = los(address, &wrong).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.stdout);
    for pointer in ["\n  /url ", "\n  /event_types"] {
        assert!(wrong.stderr.contains(pointer), "{}", wrong.stderr);
    }
}
