//! `events tail`.

use serde_json::Value;
use sqlx::PgPool;
use tokio::net::TcpListener;

use super::{Follower, answer, los, request};
use crate::{
    events::{feed, numbered},
    support::{
        TestGateway,
        fixtures::{client_create, done, refused},
    },
};

#[sqlx::test]
async fn events_are_printed_as_they_happen(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let first = gateway.accept(&client_create("A")).await;
    gateway.end_next(done()).await;
    numbered(&pool, 1).await;
    let mut tail = Follower::start(gateway.address, &["events", "tail", "--after", "0"]);
    let line = tail.line().await;
    assert!(
        line.ends_with(&format!("Z  operation.succeeded  {first}")),
        "{line}"
    );
    let second = gateway.accept(&client_create("A")).await;
    gateway.end_next(refused()).await;
    let line = tail.line().await;
    assert!(
        line.ends_with(&format!("Z  operation.failed     {second}  refused")),
        "{line}"
    );
    let told = feed(&gateway, "").await;
    let (code, errors) = tail.interrupt().await;
    assert_eq!(code, Some(0), "{errors}");
    let next = &told["next"];
    assert_eq!(
        errors,
        format!("fineract-gateway: continue with --after {next}\n")
    );

    let after = told["events"][0]["number"].to_string();
    let arguments = ["events", "tail", "--json", "--after", &after];
    let mut tail = Follower::start(gateway.address, &arguments);
    let event: Value = serde_json::from_str(&tail.line().await).expect("JSON");
    assert_eq!(event, told["events"][1]);
    tail.interrupt().await;
}

fn page(number: u32) -> String {
    format!(
        r#"{{"events":[{{"number":{number},"type":"operation.parked","timestamp":"T","data":null}}],"next":{number},"has_more":false}}"#
    )
}

#[tokio::test]
async fn a_lost_connection_loses_no_event() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut tail = Follower::start(address, &["events", "tail"]);
    let (stream, head) = request(&listener).await;
    assert!(head.starts_with("GET /events?after=now&wait=0 "), "{head}");
    answer(
        stream,
        "200 OK",
        r#"{"events":[],"next":6,"has_more":false}"#,
    )
    .await;

    let (stream, head) = request(&listener).await;
    assert!(head.starts_with("GET /events?after=6&wait=25 "), "{head}");
    answer(stream, "200 OK", &page(7)).await;
    assert_eq!(tail.line().await, "T  operation.parked     ");
    let (stream, _) = request(&listener).await;
    drop(stream);
    let (stream, head) = request(&listener).await;
    assert!(head.starts_with("GET /events?after=7&wait=25 "), "{head}");
    answer(stream, "503 Service Unavailable", "").await;
    let (stream, head) = request(&listener).await;
    assert!(head.starts_with("GET /events?after=7&wait=25 "), "{head}");
    answer(stream, "200 OK", &page(8)).await;
    assert_eq!(tail.line().await, "T  operation.parked     ");

    let (stream, _) = request(&listener).await;
    let gone = r#"{"detail":"Events are gone.","code":"events_deleted","oldest":17}"#;
    answer(stream, "410 Gone", gone).await;
    let (code, errors) = tail.end().await;
    assert_eq!(code, Some(2), "{errors}");
    let lines: Vec<_> = errors.lines().collect();
    let [again, gone, oldest] = lines.as_slice() else {
        panic!("three lines: {errors}");
    };
    assert!(
        again.starts_with("fineract-gateway: the gateway does not answer: "),
        "{again}"
    );
    assert!(again.ends_with("; trying again"), "{again}");
    assert_eq!(*gone, "fineract-gateway: Events are gone. (events_deleted)");
    assert_eq!(*oldest, "  the cursor before the oldest is 17");
}

#[tokio::test]
async fn a_wrong_address_is_an_error_at_once() {
    let nobody = "127.0.0.1:9".parse().expect("an address");
    for arguments in [
        &["events", "tail"][..],
        &["events", "tail", "--after", "1"],
        &["wait", "LOAN_DELETE|406362bf-f3da-4bc6-a506-d67e0878b7b6"],
    ] {
        let ended = los(nobody, arguments).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stdout);
        let said = ended.stderr;
        assert!(
            said.starts_with("fineract-gateway: the gateway does not answer: "),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
