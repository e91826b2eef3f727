//! How the gateway reads an upload that begins with a byte order mark, is encoded, or never arrives as a whole.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{Bulk, error_of};
use crate::support::{Answer, TestGateway, fixtures::client_create};

const MARK: &str = "\u{feff}";

#[sqlx::test]
async fn a_byte_order_mark_is_no_part_of_a_body(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let json = json!({ "reference_id": "json", "operations": [client_create("A")] });
    for (path, media_type, body) in [
        ("schedule", "application/json", json.to_string()),
        (
            "schedule?reference_id=lines",
            "application/x-ndjson",
            client_create("B").to_string(),
        ),
        (
            "schedule?reference_id=csv",
            "text/csv",
            "status,external_loan_id\nLOAN_DELETE,L\n".to_owned(),
        ),
    ] {
        let answer = Answer::of(bulk.post(path, media_type, format!("{MARK}{body}"))).await;
        assert_eq!(answer.status, 202, "{path}: {}", answer.text);
    }
    let body = format!("{MARK}{}", json!({ "reference_id": "json" }));
    for path in ["status", "retry", "cancel"] {
        let answer = Answer::of(bulk.post(path, "application/json", body.clone())).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    let table = format!("{MARK}id,external_loan_id\n1,L\n");
    let answer = Answer::of(bulk.post("retry?reference_id=csv", "text/csv", table)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let operate = format!("{MARK}{}", client_create("C"));
    let answer = Answer::of(gateway.post("/fineract/operate", operate)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    // A byte order mark alone is no valid body.
    let answer = Answer::of(bulk.post("schedule", "application/json", MARK)).await;
    assert_eq!(error_of(&answer).0, 400);
}

#[sqlx::test]
async fn an_encoded_body_is_refused_for_that(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let body = json!({ "reference_id": "r", "operations": [client_create("A")] }).to_string();
    for (path, media_type) in [
        ("schedule", "application/json"),
        ("schedule?reference_id=r", "application/x-ndjson"),
        ("schedule?reference_id=r", "text/csv"),
        ("status", "application/json"),
        ("retry", "application/json"),
        ("retry?reference_id=r", "text/csv"),
        ("cancel", "application/json"),
    ] {
        let request = bulk
            .post(path, media_type, body.clone())
            .header("Content-Encoding", "gzip");
        let answer = Answer::of(request).await;
        let (status, code, message) = error_of(&answer);
        assert_eq!((status, code.as_str()), (415, "EncodedBody"), "{path}");
        assert!(message.contains("Content-Encoding"), "{message}");
    }
    let operate = |coding: &str| {
        let body = client_create("C").to_string();
        let request = gateway.post("/fineract/operate", body);
        Answer::of(request.header("Content-Encoding", coding))
    };
    assert_eq!(
        operate("br").await.problem(),
        (415, "encoded_body".to_owned())
    );
    assert_eq!(operate("Identity").await.status, 202);
}

/// Begins an upload, and returns when the gateway waits for the rest of the body.
async fn stalled(gateway: &TestGateway, path: &str, first: &str) -> TcpStream {
    let head = format!(
        "POST /bulk/{path} HTTP/1.1\r\nHost: x\r\nclient_id: lender-id\r\nclient_secret: lender-secret\r\n\
         appIdentifier: lender-app\r\norganisationId: lender-org\r\nContent-Type: text/csv\r\n\
         Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
    );
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // The gateway sends this when it begins to read the body.
    let mut answer = [0; 25];
    let read = timeout(Duration::from_secs(20), stream.read_exact(&mut answer)).await;
    read.expect("the gateway begins to read in time").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(first.as_bytes()).await.unwrap();
    stream
}

#[sqlx::test]
async fn an_upload_that_stalls_ends_and_holds_nobody_else_s(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let started = Instant::now();
    let mut slow = Vec::new();
    for path in ["schedule?reference_id=s", "retry?reference_id=s"] {
        for first in ["", "id,status\n1,"] {
            slow.push(stalled(&gateway, path, first).await);
        }
    }
    let body = json!({ "reference_id": "r", "operations": [client_create("A")] });
    let other = bulk.other();
    let answer = timeout(Duration::from_secs(8), other.send("schedule", &body)).await;
    let answer = answer.expect("another client's upload does not wait");
    assert_eq!(answer.status, 202, "{}", answer.text);
    // The next upload of the same client waits at most until the stalled uploads have ended.
    let answer = bulk.send("schedule", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    for stream in &mut slow {
        let mut start = [0; 12];
        let read = timeout(Duration::from_secs(20), stream.read_exact(&mut start)).await;
        read.expect("the gateway ends the stalled upload in time")
            .unwrap();
        assert_eq!(&start, b"HTTP/1.1 408");
    }
    let lasted = started.elapsed();
    assert!(lasted >= Duration::from_secs(10), "{lasted:?}");
}
