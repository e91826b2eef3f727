//! Bodies that stop, that never end, or that trickle. The answer arrives nevertheless.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{interval, timeout},
};

use super::{connect, others_are_served};
use crate::support::{TOKEN, TestGateway, eventually::DEADLINE};

/// Begins a request whose body has this many bytes.
async fn begin(gateway: &TestGateway, path: &str, media_type: &str) -> TcpStream {
    let mut stream = connect(gateway.address).await;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: gateway\r\nX-Internal-Token: {TOKEN}\r\n\
         client_id: lender-id\r\nclient_secret: lender-secret\r\nappIdentifier: lender-app\r\n\
         organisationId: lender-org\r\nContent-Type: {media_type}\r\nContent-Length: 60000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads the status of the answer.
async fn status(stream: &mut TcpStream) -> String {
    let mut start = [0; 12];
    let reading = timeout(DEADLINE, stream.read_exact(&mut start)).await;
    reading.expect("an answer in time").expect("an answer");
    String::from_utf8(start.to_vec()).unwrap()
}

const ROUTES: [(&str, &str); 2] = [
    ("/fineract/operate", "application/json"),
    ("/bulk/schedule?reference_id=r", "application/x-ndjson"),
];

#[sqlx::test]
async fn a_body_that_stops_is_answered_after_ten_seconds(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let waiting = ROUTES.map(async |(path, media_type)| {
        let mut stream = begin(&gateway, path, media_type).await;
        let started = Instant::now();
        stream.write_all(b"{").await.unwrap();
        assert_eq!(status(&mut stream).await, "HTTP/1.1 408", "{path}");
        let lasted = started.elapsed().as_secs();
        assert!((9..20).contains(&lasted), "{path}: {lasted} s");
    });
    futures_util::future::join_all(waiting).await;
    others_are_served(gateway.address).await;
}

#[sqlx::test]
async fn a_body_that_trickles_is_answered_after_a_minute(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let waiting = ROUTES.map(async |(path, media_type)| {
        let stream = begin(&gateway, path, media_type).await;
        let started = Instant::now();
        let (mut reading, mut writing) = stream.into_split();
        let dripping = async {
            let mut seconds = interval(Duration::from_secs(1));
            loop {
                seconds.tick().await;
                drop(writing.write_all(b" ").await);
            }
        };
        let mut start = [0; 12];
        tokio::select! {
            read = timeout(DEADLINE, reading.read_exact(&mut start)) => {
                read.expect("an answer in time").expect("an answer");
            }
            () = dripping => unreachable!(),
        }
        assert_eq!(&start, b"HTTP/1.1 408", "{path}");
        let lasted = started.elapsed().as_secs();
        assert!((59..75).contains(&lasted), "{path}: {lasted} s");
    });
    futures_util::future::join_all(waiting).await;
    others_are_served(gateway.address).await;
}
