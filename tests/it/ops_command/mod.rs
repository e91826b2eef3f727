//! `fineract-gateway ops`.

mod actions;
mod repairs;
mod tail;

use std::net::SocketAddr;

use serde_json::Value;
use sqlx::PgPool;

use crate::support::{
    OPS_TOKEN, TestGateway,
    command::{Ended, run},
    fixtures::client_create,
    operators::park,
};

/// Runs `ops` as the operator `admin`.
async fn ops(address: SocketAddr, arguments: &[&str]) -> Ended {
    let url = format!("http://{address}");
    let arguments = [&["ops"], arguments, &["--url", &url]].concat();
    run(&arguments, &[("OPS_TOKEN", OPS_TOKEN)]).await
}

/// Runs `ops`, which has to end well, and returns what it prints.
async fn printed(address: SocketAddr, arguments: &[&str]) -> String {
    let ended = ops(address, arguments).await;
    let text = format!("{arguments:?}: {}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(0), "{text}");
    assert_eq!(ended.stderr, "", "{text}");
    ended.stdout
}

#[sqlx::test]
async fn operations_are_listed_and_shown(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(gateway.accept(&client_create(&format!("C-{number}"))).await);
    }
    park(&pool, &ids[1]).await;

    let parked = printed(gateway.address, &["list", "--where", "state=parked"]).await;
    let lines: Vec<_> = parked.lines().collect();
    assert_eq!(lines.len(), 1, "{parked}");
    assert!(lines[0].starts_with(&ids[1]), "{parked}");
    for part in ["parked", "evidence_cannot_tell", "client:c-1"] {
        assert!(lines[0].contains(part), "{part}: {parked}");
    }

    let arguments = [
        "list",
        "--json",
        "--where",
        "state=ready type=CLIENT_CREATE",
    ];
    let ready = printed(gateway.address, &arguments).await;
    let listed = ready.lines().map(|line| {
        let operation: Value = serde_json::from_str(line).expect("a line of JSON");
        operation["tracking_id"].as_str().expect("an id").to_owned()
    });
    let mut listed: Vec<_> = listed.collect();
    listed.sort();
    assert_eq!(listed, [ids[0].clone(), ids[2].clone()]);

    let some = printed(
        gateway.address,
        &["list", "--where", "state=ready", "--limit", "1"],
    )
    .await;
    assert_eq!(some.lines().count(), 2, "{some}");
    assert_eq!(
        some.lines().last(),
        Some("there are more operations (--limit)")
    );

    let shown = printed(gateway.address, &["show", &ids[1]]).await;
    for part in [
        format!("operation     {}", ids[1]),
        "state         parked".to_owned(),
        "reason        evidence_cannot_tell since ".to_owned(),
        "caller        los".to_owned(),
        "lane          client:c-1, position ".to_owned(),
        "action        retry: possible".to_owned(),
    ] {
        assert!(shown.contains(&part), "{part}: {shown}");
    }
    assert!(!shown.contains("firstname"), "personal data: {shown}");
    let whole = printed(gateway.address, &["show", &ids[1], "--json"]).await;
    let whole: Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!(whole["tracking_id"], ids[1].as_str());
}

#[sqlx::test]
async fn what_is_wrong_is_said(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for (arguments, said) in [
        (
            &["list", "--where", "state=parked lendr=UGRO"][..],
            "/lendr is not known",
        ),
        (&["list", "--where", "state=asleep"], "must be one of"),
        (&["list", "--where", "parked"], "parked is not NAME=VALUE"),
        (&["show", "nothing"], "malformed_tracking_id"),
        (&["tail", "--where", "color=red"], "events have no color"),
        (&["list", "--token", "hush"], "unexpected argument"),
        (&["cancel", "--reason", "x"], "required"),
        (
            &["cancel", "--reason", "x", "--where", "state=ready"],
            "--dry-run first",
        ),
    ] {
        let ended = ops(gateway.address, arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stdout);
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    let url = format!("http://{}", gateway.address);
    for (token, said) in [("", "OPS_TOKEN is not set"), ("wrong", "unauthorized")] {
        let ended = run(&["ops", "list", "--url", &url], &[("OPS_TOKEN", token)]).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stdout);
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    let away = run(
        &["ops", "list", "--url", "http://127.0.0.1:9"],
        &[("OPS_TOKEN", "hush")],
    )
    .await;
    assert!(
        away.stderr.contains("the gateway does not answer"),
        "{}",
        away.stderr
    );
    assert!(!away.stderr.contains("hush"));
}

#[sqlx::test]
async fn a_reader_may_stop_reading(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for number in 0..3 {
        gateway.accept(&client_create(&format!("C-{number}"))).await;
    }
    // `true` reads nothing and ends at once.
    let script = format!(
        "'{}' ops list --where state=ready --url http://{} | true; echo ${{PIPESTATUS[0]}}",
        crate::PROGRAM,
        gateway.address
    );
    let output = tokio::process::Command::new("bash")
        .args(["-c", &script])
        .env("OPS_TOKEN", OPS_TOKEN)
        .output()
        .await
        .expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n");
}
