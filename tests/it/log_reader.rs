//! The reader of the log may stall or be gone. The gateway must continue to work, and end when it is told to.

use std::{
    fs::OpenOptions,
    io::{PipeReader, Read as _, Write as _},
    process::Stdio,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{process::Command, time::timeout};

use crate::{
    shutdown::terminate,
    support::{caller::Caller, fixtures::client, system::System},
};

/// So many operations that their log fills the pipe and the buffer of lines that wait.
const OPERATIONS: usize = 500;
const AT_ONCE: usize = 8;
/// The longest shutdown: the notice, the operations in flight, and the last lines of the log.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// A gateway that logs everything, and the reader's end of its log.
async fn gateway(pool: &PgPool) -> (System, Caller, PipeReader) {
    let system = System::start(pool).await;
    let (reader, stderr) = std::io::pipe().expect("a pipe");
    let gateway = system.process_with_log("trace", Stdio::from(stderr)).await;
    (system, gateway, reader)
}

async fn create(gateway: &Caller, number: usize) -> Value {
    let data = client(&format!("C-{number}"));
    gateway.run("CLIENT_CREATE", data).await
}

async fn works_on_and_ends(system: &System, mut gateway: Caller) {
    let ends: Vec<Value> = stream::iter(0..OPERATIONS)
        .map(|number| create(&gateway, number))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert!(
        ends.iter().all(|end| end["status"] == "success"),
        "{ends:?}"
    );
    assert_eq!(system.ledger().await.len(), OPERATIONS);
    assert_eq!(gateway.get("/readyz").await.status, 200);
    assert!(lines_lost(&gateway).await > 0);
    terminate(&gateway).await;
    let terminated_at = Instant::now();
    assert_eq!(gateway.exit_code().await, Some(0));
    assert!(terminated_at.elapsed() < SHUTDOWN);
}

async fn lines_lost(gateway: &Caller) -> u64 {
    let metrics = gateway.get("/metrics").await.text;
    let mut lines = metrics.lines();
    lines
        .find_map(|line| line.strip_prefix("gateway_log_lines_lost_total "))
        .expect("it is counted from the start")
        .parse()
        .expect("a number")
}

#[sqlx::test]
async fn a_reader_of_the_log_that_is_gone_stops_nothing(pool: PgPool) {
    let (system, gateway, reader) = gateway(&pool).await;
    drop(reader);
    works_on_and_ends(&system, gateway).await;
}

#[sqlx::test]
async fn a_reader_of_the_log_that_stalls_stops_nothing(pool: PgPool) {
    let (system, gateway, _never_read) = gateway(&pool).await;
    works_on_and_ends(&system, gateway).await;
}

#[sqlx::test]
async fn a_log_whose_disk_is_full_stops_nothing(pool: PgPool) {
    let system = System::start(&pool).await;
    let full = OpenOptions::new().write(true).open("/dev/full");
    let stderr = Stdio::from(full.expect("Linux has one"));
    let gateway = system.process_with_log("trace", stderr).await;
    works_on_and_ends(&system, gateway).await;
}

#[sqlx::test]
async fn the_last_lines_are_written_before_the_end(pool: PgPool) {
    let system = System::start(&pool).await;
    let (mut reader, stderr) = std::io::pipe().expect("a pipe");
    let mut gateway = system.process_with_log("info", Stdio::from(stderr)).await;
    assert_eq!(create(&gateway, 1).await["status"], "success");
    assert_eq!(lines_lost(&gateway).await, 0);
    terminate(&gateway).await;
    assert_eq!(gateway.exit_code().await, Some(0));
    let mut log = String::new();
    reader.read_to_string(&mut log).expect("a text");
    let messages: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"))
        .map(|mut line| line["message"].take())
        .collect();
    assert!(messages.contains(&json!("attempt concluded")), "{log}");
    assert_eq!(messages.last(), Some(&json!("shutting down")), "{log}");
}

#[tokio::test]
async fn a_gateway_that_cannot_start_ends_whether_or_not_anybody_hears_why() {
    for is_gone in [true, false] {
        let (reader, mut stderr) = std::io::pipe().expect("a pipe");
        // This fills the pipe.
        stderr
            .write_all(&vec![b'\n'; 65_536])
            .expect("there is room");
        let _never_read = (!is_gone).then_some(reader);
        let mut serving = Command::new(env!("CARGO_BIN_EXE_fineract-gateway"));
        let serving = serving
            .arg("serve")
            .env_clear()
            .current_dir(std::env::temp_dir())
            .stderr(stderr)
            .kill_on_drop(true)
            .status();
        let status = timeout(SHUTDOWN, serving)
            .await
            .expect("the gateway ends in time");
        assert_eq!(status.expect("the gateway starts").code(), Some(2));
    }
}
