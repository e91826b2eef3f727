//! SIGTERM and SIGHUP: a gateway that is told to end, ends, and loses nothing.

use std::time::{Duration, Instant};

use fineract_gateway::tls::http_client;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use crate::support::{
    ANSWERED_WITHIN, TOKEN, caller::Caller, database::eventually_true, eventually::eventually,
    fixtures::client, system::System,
};

/// Whether there is one attempt without an answer: its call is in progress, or its answer was not received.
const UNANSWERED: &str = "SELECT count(*) = 1 FROM attempt WHERE answered_at IS NULL";

async fn slow_system(pool: &PgPool, delay_ms: u64) -> System {
    let mut system = System::start(pool).await;
    system.set("SHUTDOWN_GRACE_SECONDS", "10");
    let matching = json!({"method": "POST", "path": "/clients"});
    let slow = json!({"match": matching, "fault": "slow", "delay_ms": delay_ms});
    system.fault(slow).await;
    system
}

/// A system in which a call takes so long that everything that a test does happens during the call.
async fn very_slow_system(pool: &PgPool) -> System {
    let mut system = slow_system(pool, 8000).await;
    system.set("FINERACT_TIMEOUT_SECONDS", "10");
    system.set("WORKER_LEASE_SECONDS", "11");
    system
}

pub(crate) async fn terminate(gateway: &Caller) {
    signal(gateway, "-TERM").await;
}

async fn signal(gateway: &Caller, name: &str) {
    let pid = gateway.pid().to_string();
    let sent = Command::new("kill").args([name, &pid]).status().await;
    assert!(sent.expect("kill runs").success());
}

async fn is_listening(gateway: &Caller) -> bool {
    TcpStream::connect(gateway.address).await.is_ok()
}

async fn stops_listening(gateway: &Caller) {
    eventually("the gateway stops listening", async || {
        !is_listening(gateway).await
    })
    .await;
}

/// A caller that sends one operation after the other until the gateway is gone. Returns the tracking ids, and how many
/// operations were accepted while `/readyz` failed.
async fn keep_sending(gateway: &Caller, name: &str) -> (Vec<String>, usize) {
    let url = format!("http://{}", gateway.address);
    let connection = http_client()
        .timeout(ANSWERED_WITHIN)
        .build()
        .expect("a client");
    let (mut accepted, mut while_unready) = (Vec::new(), 0);
    loop {
        let id = format!("{name}-{}", accepted.len());
        let post = connection
            .post(format!("{url}/fineract/operate"))
            .header("X-Internal-Token", TOKEN)
            .json(&json!({ "status": "CLIENT_CREATE", "data": client(&id) }));
        let ready = connection.get(format!("{url}/readyz")).send().await;
        let is_unready = ready.is_ok_and(|answer| answer.status() == 503);
        match post.send().await {
            Ok(answer) => {
                assert_eq!(answer.status(), 202, "no operation is refused");
                let body: Value = answer.json().await.expect("a whole answer");
                accepted.push(body["tracking_id"].as_str().expect("an id").to_owned());
                while_unready += usize::from(is_unready);
            }
            Err(error) => {
                assert!(error.is_connect() || error.is_request(), "{error:?}");
                return (accepted, while_unready);
            }
        }
    }
}

#[sqlx::test]
async fn under_load_it_ends_within_the_grace_and_nothing_is_lost(pool: PgPool) {
    let system = slow_system(&pool, 200).await;
    let mut gateway = system.process().await;
    let names = ["A", "B", "C", "D"];
    let sending = futures_util::future::join_all(names.map(|name| keep_sending(&gateway, name)));
    let terminating = async {
        eventually_true(&pool, "SELECT count(*) >= 20 FROM operation").await;
        terminate(&gateway).await;
        Instant::now()
    };
    let (sent, terminated_at) = tokio::join!(sending, terminating);
    assert_eq!(gateway.exit_code().await, Some(0));
    assert!(terminated_at.elapsed() < Duration::from_secs(10));

    let while_unready: usize = sent.iter().map(|(_, count)| count).sum();
    // Each caller may have one request in progress when the gateway stops listening.
    assert!(
        while_unready > names.len(),
        "`/readyz` fails before the gateway stops accepting"
    );
    let running = sqlx::query_scalar!("SELECT count(*) FROM operation WHERE state = 'running'");
    assert_eq!(
        running.fetch_one(&pool).await.unwrap(),
        Some(0),
        "operations in flight ended"
    );
    let next = system.process().await;
    for (tracking_ids, _) in &sent {
        for tracking_id in tracking_ids {
            assert_eq!(next.end_of(tracking_id).await["status"], "success");
        }
    }
    let accepted: usize = sent.iter().map(|(ids, _)| ids.len()).sum();
    assert_eq!(system.ledger().await.len(), accepted);
}

#[sqlx::test]
async fn connections_without_a_request_hold_nothing_up(pool: PgPool) {
    let system = System::start(&pool).await;
    let mut gateway = system.process().await;
    let _silent = TcpStream::connect(gateway.address).await.unwrap();
    let mut slow = TcpStream::connect(gateway.address).await.unwrap();
    slow.write_all(b"POST /fineract/operate HTTP/1.1\r\nHost:")
        .await
        .unwrap();
    let mut idle = TcpStream::connect(gateway.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");

    terminate(&gateway).await;
    let ended = timeout(Duration::from_secs(5), gateway.exit_code()).await;
    assert_eq!(
        ended.expect("the gateway does not wait for these connections"),
        Some(0)
    );
}

#[sqlx::test]
async fn a_second_signal_ends_it_at_once_and_another_gateway_goes_on(pool: PgPool) {
    let system = very_slow_system(&pool).await;
    let mut gateway = system.process().await;
    let tracking_id = gateway.send("CLIENT_CREATE", client("C")).await;
    eventually_true(&pool, UNANSWERED).await;
    terminate(&gateway).await;
    stops_listening(&gateway).await;
    eventually_true(&pool, UNANSWERED).await;
    terminate(&gateway).await;
    assert_eq!(gateway.exit_code().await, Some(1));

    let next = system.process().await;
    assert_eq!(next.end_of(&tracking_id).await["status"], "success");
    assert_eq!(system.ledger().await.len(), 1);
}

#[sqlx::test]
async fn what_takes_longer_than_the_grace_runs_elsewhere(pool: PgPool) {
    let mut system = very_slow_system(&pool).await;
    system.set("SHUTDOWN_GRACE_SECONDS", "1");
    let mut gateway = system.process().await;
    let tracking_id = gateway.send("CLIENT_CREATE", client("C")).await;
    eventually_true(&pool, UNANSWERED).await;
    terminate(&gateway).await;
    assert_eq!(gateway.exit_code().await, Some(1));
    eventually_true(&pool, UNANSWERED).await;

    let next = system.process().await;
    assert_eq!(next.end_of(&tracking_id).await["status"], "success");
    assert_eq!(system.ledger().await.len(), 1);
}

#[sqlx::test]
async fn a_hangup_drains_as_well(pool: PgPool) {
    let system = slow_system(&pool, 1000).await;
    let mut gateway = system.process().await;
    let tracking_id = gateway.send("CLIENT_CREATE", client("C")).await;
    eventually_true(&pool, UNANSWERED).await;
    signal(&gateway, "-HUP").await;
    assert_eq!(gateway.exit_code().await, Some(0));
    let state = sqlx::query_scalar!("SELECT state FROM operation").fetch_one(&pool);
    assert_eq!(state.await.unwrap(), "succeeded", "{tracking_id}");
}
