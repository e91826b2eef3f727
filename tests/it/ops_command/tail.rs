//! The stream of events, from a server that sends what the test says: it breaks connections, and a gateway does not.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::support::{OPS_TOKEN, command::program, eventually::DEADLINE};

/// Accepts the next connection, and reads the request's head.
async fn request(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = timeout(DEADLINE, listener.accept())
        .await
        .expect("a connection in time")
        .expect("a connection");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    (stream, String::from_utf8(head).expect("text"))
}

/// A message of the stream about the client with this number.
fn message(number: u32, event: &str) -> String {
    format!(
        "id: {number}\nevent: {event}\ndata: {{\"number\":{number},\"type\":\"{event}\",\"timestamp\":\"2026-11-28T10:00:00.000000Z\",\
         \"tracking_id\":\"CLIENT_CREATE|{number}\",\"lane\":\"client:c-{number}\",\"state\":\"failed\",\"batch_id\":null}}\n\n"
    )
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.expect("a reader");
}

const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_broken_stream_is_continued_and_a_closed_pipe_ends_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let filter = "event=operation.failed type=CLIENT_CREATE state=failed";
    let arguments = [
        "ops", "tail", "--json", "--after", "6", "--where", filter, "--url", &url,
    ];
    let mut tail = program(&arguments, &[("OPS_TOKEN", OPS_TOKEN)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();

    let (mut stream, head) = request(&listener).await;
    assert!(
        head.starts_with("GET /fineract/events HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("last-event-id: 6\r\n"), "{head}");
    assert!(
        head.contains(&format!("x-internal-token: {OPS_TOKEN}\r\n")),
        "{head}"
    );
    send(&mut stream, HEAD).await;
    send(&mut stream, ": still here\n\n").await;
    let whole = message(7, "operation.failed");
    let (first, rest) = whole.split_at(20);
    send(&mut stream, first).await;
    send(&mut stream, rest).await;
    // This event does not meet the conditions, but its number counts.
    send(&mut stream, &message(8, "operation.succeeded")).await;
    let line = timeout(DEADLINE, lines.next_line())
        .await
        .expect("a line in time");
    let event: Value = serde_json::from_str(&line.expect("a pipe").expect("a line")).expect("JSON");
    assert_eq!(event["number"], 7);
    drop(stream);

    let (mut stream, head) = request(&listener).await;
    assert!(head.contains("last-event-id: 8\r\n"), "{head}");
    send(&mut stream, HEAD).await;
    drop(lines);
    send(&mut stream, &message(9, "operation.failed")).await;
    let ended = timeout(DEADLINE, tail.wait_with_output())
        .await
        .expect("it ends in time");
    let ended = ended.expect("it ran");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(0));
}

#[tokio::test]
async fn a_gateway_that_refuses_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let tail = program(&["ops", "tail", "--url", &url], &[("OPS_TOKEN", OPS_TOKEN)])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let (mut stream, _) = request(&listener).await;
    let body = r#"{"detail":"Events are gone.","code":"events_deleted"}"#;
    let length = body.len();
    send(
        &mut stream,
        &format!("HTTP/1.1 410 Gone\r\nContent-Length: {length}\r\n\r\n{body}"),
    )
    .await;
    let ended = timeout(DEADLINE, tail.wait_with_output())
        .await
        .expect("it ends in time");
    let ended = ended.expect("it ran");
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("Events are gone. (events_deleted)"), "{said}");
}
