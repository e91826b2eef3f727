//! The polling loop of document 000 ends when the operation has ended, and for no other reason.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use private_postgres::PrivatePostgres;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    task::{block_in_place, spawn_blocking},
    time::timeout,
};

use crate::{
    failover::postgres,
    support::{
        Answer, TOKEN,
        caller::Caller,
        eventually::{DEADLINE, eventually_ok},
        fixtures::client,
        system::System,
    },
};

/// The program with the loop, exactly as in the document.
const LOOP: &str = include_str!("../clients/document_000.py");

/// A system whose operations take several seconds, and one such operation.
async fn slow_operation(postgres: &PrivatePostgres) -> (System, Caller, String) {
    let mut system = System::on(&postgres.url("postgres")).await;
    system.set("FINERACT_TIMEOUT_SECONDS", "30");
    system.set("WORKER_LEASE_SECONDS", "40");
    let slow =
        json!({"match": {"method": "POST", "path": "/clients"}, "fault": "slow", "delay_ms": 8000});
    system.fault(slow).await;
    let gateway = system.process().await;
    let tracking_id = gateway.send("CLIENT_CREATE", client("C")).await;
    (system, gateway, tracking_id)
}

/// One turn of the document's loop: the answer, and whether the loop continues.
async fn poll(gateway: &Caller, tracking_id: &str) -> (Answer, bool) {
    let path = format!("/fineract/track/{tracking_id}");
    let request = gateway.request(Method::GET, &path);
    let answer = Answer::of(request.header("X-Internal-Token", TOKEN)).await;
    let goes_on = answer.json()["status"] == "processing";
    (answer, goes_on)
}

/// Asserts that an answer is a 503 that the document's loop treats as an operation that still runs.
fn assert_away(answer: &Answer, tracking_id: &str) {
    let processing = json!({ "tracking_id": tracking_id, "status": "processing" });
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(answer.text, processing.to_string());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("retry-after"), "5");
}

/// The document's own program, if there is a Python with the library that it needs.
async fn python(gateway: &Caller, tracking_id: &str) -> Option<Child> {
    let is_there = Command::new("python3")
        .args(["-c", "import requests"])
        .stderr(Stdio::null())
        .status()
        .await;
    if !is_there.is_ok_and(|status| status.success()) {
        return None;
    }
    let base = format!("http://{}", gateway.address);
    let program = LOOP
        .replace("CLIENT_CREATE|406362bf-...", tracking_id)
        .replace("https://turnomifos.incentius.net/api", &base)
        .replace("your-token", TOKEN);
    let running = Command::new("python3")
        .args(["-c", &program])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    Some(running.expect("python3 starts"))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_through_a_restart_of_the_database() {
    let mut postgres = postgres();
    let (_system, gateway, tracking_id) = slow_operation(&postgres).await;
    let theirs = python(&gateway, &tracking_id).await;
    assert!(poll(&gateway, &tracking_id).await.1);

    block_in_place(|| postgres.kill_immediately()).expect("a kill");
    // This is longer than the pause in the document's program.
    let killed_at = Instant::now();
    while killed_at.elapsed() < Duration::from_secs(3) {
        let (answer, goes_on) = poll(&gateway, &tracking_id).await;
        assert_away(&answer, &tracking_id);
        assert!(goes_on);
    }
    block_in_place(|| postgres.start_again()).expect("a start");

    let end = eventually_ok("the loop ends", async || {
        let (answer, goes_on) = poll(&gateway, &tracking_id).await;
        if goes_on {
            Err(answer.text)
        } else {
            Ok(answer)
        }
    })
    .await;
    assert_eq!(
        (end.status.as_u16(), &end.json()["status"]),
        (200, &json!("success"))
    );
    if let Some(theirs) = theirs {
        let ended = timeout(DEADLINE, theirs.wait_with_output()).await;
        let printed = ended.expect("it ends").expect("it ran").stdout;
        let printed = String::from_utf8(printed).expect("a text");
        assert!(printed.contains("'status': 'success'"), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_poll_is_held_on_while_the_database_restarts() {
    let mut postgres = postgres();
    let (_system, gateway, tracking_id) = slow_operation(&postgres).await;
    let held = |seconds: u8| {
        let path = format!("/fineract/track/{tracking_id}");
        let request = gateway.request(Method::GET, &path);
        let request = request.header("X-Internal-Token", TOKEN);
        Answer::of(request.header("Prefer", format!("wait={seconds}")))
    };
    block_in_place(|| postgres.kill_immediately()).expect("a kill");

    // A read may fail at once or after some time. This depends on the connections in the pool.
    for (wait, shortest, longest) in [(0, 0, 4), (1, 0, 4), (50, 4, 6)] {
        let started = Instant::now();
        assert_away(&held(wait).await, &tracking_id);
        let lasted = started.elapsed();
        assert!(
            (shortest..longest).contains(&lasted.as_secs()),
            "{wait}: {lasted:?}"
        );
    }

    let restart = spawn_blocking(move || {
        postgres.start_again().expect("a start");
        postgres
    });
    let (answer, _postgres) = tokio::join!(held(50), restart);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["status"], "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_what_may_pass_changes_its_form() {
    let mut postgres = postgres();
    let system = System::on(&postgres.url("postgres")).await;
    let gateway = system.process().await;
    let tracking_id = gateway.send("CLIENT_CREATE", client("C")).await;
    block_in_place(|| postgres.kill_immediately()).expect("a kill");
    let track = |id: &str| gateway.request(Method::GET, &format!("/fineract/track/{id}"));
    for (request, expected) in [
        (track(&tracking_id), (401, "unauthorized")),
        (
            track("x").header("X-Internal-Token", TOKEN),
            (400, "malformed_tracking_id"),
        ),
        (
            gateway.request(Method::POST, &format!("/fineract/track/{tracking_id}")),
            (405, "method_not_allowed"),
        ),
    ] {
        let (status, code) = Answer::of(request).await.problem();
        assert_eq!((status, code.as_str()), expected);
    }
    // On other routes, the same failure has its usual form too.
    let answer: Answer = gateway.operate("CLIENT_CREATE", client("D")).await;
    assert_eq!(answer.problem(), (503, "database_unavailable".to_owned()));
    let body: Value = Answer::of(track(&tracking_id).header("X-Internal-Token", TOKEN))
        .await
        .json();
    assert_eq!(
        body,
        json!({ "tracking_id": tracking_id, "status": "processing" })
    );
}
