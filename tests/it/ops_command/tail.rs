//! The stream of events.

use std::process::Stdio;

use serde_json::Value;
use sqlx::PgPool;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

use crate::support::{
    OPS_TOKEN, command::program, eventually::DEADLINE, fixtures::client, system::System,
};

#[sqlx::test]
async fn events_are_printed_until_nobody_reads_them(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("BEFORE")).await;
    let url = format!("http://{}", gateway.address);
    let arguments = [
        "ops",
        "tail",
        "--json",
        "--after",
        "0",
        "--where",
        "lane=client:c-2",
        "--url",
        &url,
    ];
    let mut tail = program(&arguments, &[("OPS_TOKEN", OPS_TOKEN)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    for id in ["C-1", "C-2"] {
        gateway.succeeds("CLIENT_CREATE", client(id)).await;
    }
    let line = timeout(DEADLINE, lines.next_line())
        .await
        .expect("an event in time");
    let event: Value = serde_json::from_str(&line.expect("a pipe").expect("a line")).expect("JSON");
    assert_eq!(
        (&event["type"], &event["lane"]),
        (&"operation.succeeded".into(), &"client:c-2".into())
    );

    // Nobody reads any more, so the command ends well with the next event that it prints.
    drop(lines);
    gateway
        .succeeds(
            "CLIENT_UPDATE",
            serde_json::json!({"externalId": "C-2", "mobileNo": "8888888888"}),
        )
        .await;
    let ended = timeout(DEADLINE, tail.wait_with_output())
        .await
        .expect("it ends in time");
    let ended = ended.expect("it ran");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}
