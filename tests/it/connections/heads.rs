//! Heads of requests that do not arrive, that arrive byte by byte, and that are too large.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{interval, timeout},
};

use super::{HEALTH, connect, connect_many, others_are_served, read_to_end};
use crate::support::{TestGateway, eventually::DEADLINE};

/// A connection that is too slow has 10 seconds, and one more for its end.
const SLOW: std::ops::Range<u64> = 9..20;

#[sqlx::test]
async fn connections_that_send_nothing_end_and_disturb_nobody(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let started = Instant::now();
    let silent = connect_many(gateway.address).await;
    others_are_served(gateway.address).await;
    let ends = join_all(silent.into_iter().map(async |mut stream| {
        assert_eq!(read_to_end(&mut stream).await, "");
        started.elapsed().as_secs()
    }));
    for lasted in ends.await {
        assert!(SLOW.contains(&lasted), "{lasted} s");
    }
}

#[sqlx::test]
async fn connections_that_send_a_byte_a_second_end_and_disturb_nobody(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let started = Instant::now();
    let dripping = connect_many(gateway.address).await;
    let dripping = join_all(dripping.into_iter().map(async |mut stream| {
        let mut seconds = interval(Duration::from_secs(1));
        for byte in HEALTH.bytes().cycle() {
            seconds.tick().await;
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        started.elapsed().as_secs()
    }));
    let others = async {
        let mut seconds = interval(Duration::from_secs(1));
        for _ in 0..5 {
            seconds.tick().await;
            others_are_served(gateway.address).await;
        }
    };
    let (ends, ()) = tokio::join!(timeout(DEADLINE, dripping), others);
    for lasted in ends.expect("all connections end") {
        assert!(SLOW.contains(&lasted), "{lasted} s");
    }
}

#[sqlx::test]
async fn a_second_head_has_ten_seconds_too(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut stream = connect(gateway.address).await;
    let request = format!("{HEALTH}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    stream.write_all(b"GET /healthz HTT").await.unwrap();
    let started = Instant::now();
    read_to_end(&mut stream).await;
    let lasted = started.elapsed().as_secs();
    assert!(SLOW.contains(&lasted), "{lasted} s");
}

#[sqlx::test]
async fn a_connection_may_be_idle_for_longer_than_a_head_may_take(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut stream = connect(gateway.address).await;
    let request = format!("{HEALTH}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answers = vec![0; 4096];
    let count = stream.read(&mut answers).await.unwrap();
    assert!(answers[..count].starts_with(b"HTTP/1.1 200 "));
    let ended = timeout(Duration::from_secs(15), stream.read(&mut answers)).await;
    assert!(ended.is_err(), "the connection stays open");
    let last = format!("{HEALTH}Connection: close\r\n\r\n");
    stream.write_all(last.as_bytes()).await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[sqlx::test]
async fn a_head_that_is_too_large_is_refused_before_it_has_arrived(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let header = "x: y\r\n";
    let long = format!("x: {}\r\n", "y".repeat(15 * 1024));
    for (headers, status) in [
        (header.repeat(98), "200"),
        (header.repeat(101), "431"),
        (long.clone(), "200"),
        (long.repeat(2), "431"),
    ] {
        let answer = gateway
            .raw(&format!("{HEALTH}Connection: close\r\n{headers}\r\n"))
            .await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{}: {answer}", headers.len());
    }
    // The head never ends. The gateway stops reading long before this much.
    let mut stream = connect(gateway.address).await;
    stream.write_all(HEALTH.as_bytes()).await.unwrap();
    let mut written = 0;
    while written < 100 * 1024 * 1024 && stream.write_all(long.as_bytes()).await.is_ok() {
        written += long.len();
    }
    assert!(written < 20 * 1024 * 1024, "{written} bytes were taken");
    others_are_served(gateway.address).await;
}
