//! Answers that the gateway sends before it has read the body of the request. A caller that first writes its whole body
//! and then reads must receive the answer, on every route.

use std::time::Instant;

use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{API_KEY, OPS_TOKEN, TOKEN, TestGateway, eventually::DEADLINE};

/// More than the buffers of both ends can hold. So the body can be written only if the gateway reads it.
const LARGE: usize = 20 * 1024 * 1024;
const ID: &str = "406362bf-f3da-4bc6-a506-d67e0878b7b6";

async fn connect(gateway: &TestGateway) -> TcpStream {
    TcpStream::connect(gateway.address)
        .await
        .expect("the gateway listens")
}

/// Writes a head and a whole body, and only then reads. Returns all that the gateway sends until it closes the
/// connection.
async fn write_then_read(gateway: &TestGateway, head: &str, size: usize) -> String {
    let talk = async {
        let mut stream = connect(gateway).await;
        let head =
            format!("{head}Host: gateway\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n");
        stream
            .write_all(head.as_bytes())
            .await
            .expect("the head is taken");
        stream
            .write_all(&vec![b' '; size])
            .await
            .expect("the body is taken");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .await
            .expect("the answer is whole");
        answer
    };
    timeout(DEADLINE, talk)
        .await
        .expect("the gateway answers in time")
}

#[sqlx::test]
async fn who_writes_a_whole_body_first_gets_the_answer(pool: PgPool) {
    let gateway = TestGateway::start_with(pool.clone(), |state| state.max_waiting = 0).await;
    let json = "Content-Type: application/json\r\n";
    let ours = format!("X-Internal-Token: {TOKEN}\r\n{json}");
    let ops = format!("X-Internal-Token: {OPS_TOKEN}\r\n{json}");
    let key = format!("Authorization: Token {API_KEY}\r\n");
    let lender = "client_id: lender-id\r\nclient_secret: lender-secret\r\n\
                  appIdentifier: lender-app\r\norganisationId: lender-org\r\n";
    let track = format!("/fineract/track/CLIENT_CREATE%7C{ID}");
    let operation = format!("/api/fineract/operations/{ID}");
    let transaction = format!("/transactions/{ID}/");
    for (status, line, headers) in [
        (401, "POST /fineract/operate", ""),
        (
            415,
            "POST /api/v1/fineract/operate",
            ours.replace(json, "").as_str(),
        ),
        (413, "POST /fineract/operate", &ours),
        (405, "PUT /fineract/operate", &ours),
        (404, "POST /fineract/nothing", &ours),
        (404, &format!("GET {track}"), &ours),
        (400, "GET /fineract/track/x", &ours),
        (401, &format!("POST {operation}/cancel"), ""),
        (403, &format!("POST {operation}/cancel"), &ours),
        (413, &format!("POST {operation}/cancel"), &ops),
        (413, &format!("POST {operation}/retry"), &ops),
        (413, &format!("POST {operation}/resolve"), &ops),
        (401, "POST /bulk/schedule", json),
        (415, "POST /bulk/schedule", lender),
        (401, "POST /api/bulk/status", json),
        (413, "POST /bulk/status", &format!("{lender}{json}")),
        (413, "POST /bulk/cancel", &format!("{lender}{json}")),
        (415, "POST /bulk/retry", lender),
        (401, &format!("GET {transaction}"), ""),
        (404, &format!("GET {transaction}"), &key),
        (405, &format!("POST {transaction}"), &key),
        (200, "GET /healthz", ""),
        (405, "POST /metrics", ""),
    ] {
        let head = format!("{line} HTTP/1.1\r\n{headers}");
        let answer = write_then_read(&gateway, &head, LARGE).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {answer}"
        );
        assert!(answer.contains("x-request-id: "), "{line}: {answer}");
    }
    pool.close().await;
    for (line, headers) in [
        (format!("GET {track}"), &ours),
        (format!("GET {operation}"), &ops),
    ] {
        let head = format!("{line} HTTP/1.1\r\n{headers}");
        let answer = write_then_read(&gateway, &head, LARGE).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{line}: {answer}");
    }
}

#[sqlx::test]
async fn a_connection_whose_rest_was_read_takes_the_next_request(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut stream = connect(&gateway).await;
    let head =
        "POST /fineract/operate HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; 2_000_000]).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answers = String::new();
    let reading = stream.read_to_string(&mut answers);
    timeout(DEADLINE, reading).await.unwrap().unwrap();
    assert!(answers.starts_with("HTTP/1.1 401 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 200 "), "{answers}");
}

#[sqlx::test]
async fn who_asks_first_is_told_not_to_send_its_body(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut stream = connect(&gateway).await;
    let head = "POST /fineract/operate HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\n\
                Content-Length: 2000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    timeout(DEADLINE, stream.read_exact(&mut start))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&start, b"HTTP/1.1 401");
    // A client may send its body without waiting for the answer.
    stream.write_all(&vec![b' '; 2_000_000]).await.unwrap();
    let mut rest = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.contains("connection: close\r\n"), "{rest}");
    assert!(!rest.contains("100 Continue"), "{rest}");
}

#[sqlx::test]
async fn what_is_left_is_read_for_ten_seconds_and_no_longer(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut stream = connect(&gateway).await;
    let head =
        "POST /fineract/operate HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2000000\r\n\r\n";
    let started = Instant::now();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let reading = stream.read_to_string(&mut answer);
    timeout(DEADLINE, reading)
        .await
        .expect("the gateway closes the connection")
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let lasted = started.elapsed();
    assert!((9..20).contains(&lasted.as_secs()), "{lasted:?}");
}

#[sqlx::test]
async fn a_body_without_an_end_is_not_read_for_ever(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut stream = connect(&gateway).await;
    let head =
        "POST /fineract/operate HTTP/1.1\r\nHost: gateway\r\nContent-Length: 9000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b' '; 1024 * 1024];
    let writing = async {
        let mut pieces = 0;
        while stream.write_all(&piece).await.is_ok() {
            pieces += 1;
        }
        pieces
    };
    let pieces = timeout(DEADLINE, writing)
        .await
        .expect("the gateway closes the connection");
    // 32 MiB, and the content of the buffers of both ends.
    assert!((32..64).contains(&pieces), "{pieces} MiB");
}
