//! Requests that a client sends before it has read the answers to earlier ones.

use std::time::Duration;

use sqlx::PgPool;
use tokio::{io::AsyncWriteExt as _, time::timeout};

use super::{HEALTH, connect, others_are_served};
use crate::support::{TOKEN, TestGateway, database::is_true, fixtures::client_update};

#[sqlx::test]
async fn requests_that_arrive_together_are_answered_in_their_order(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let body = client_update("C").to_string();
    let operate = format!(
        "POST /fineract/operate HTTP/1.1\r\nHost: gateway\r\nX-Internal-Token: {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let nowhere = "GET /nowhere HTTP/1.1\r\nHost: gateway\r\n\r\n";
    let last = format!("{HEALTH}Connection: close\r\n\r\n");
    let answers = gateway.raw(&format!("{operate}{nowhere}{last}")).await;
    let statuses: Vec<&str> = answers
        .match_indices("HTTP/1.1 ")
        .filter_map(|(at, _)| answers.get(at + 9..at + 12))
        .collect();
    assert_eq!(statuses, ["202", "404", "200"], "{answers}");
    assert!(is_true(&pool, "SELECT count(*) = 1 FROM operation").await);
}

#[sqlx::test]
async fn a_client_that_reads_no_answer_is_not_read_either(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut stream = connect(gateway.address).await;
    let requests = format!("{HEALTH}\r\n").repeat(1000);
    let mut written = 0;
    // The writing stops when the buffers of the kernel are full in both directions.
    while written < 100 * 1024 * 1024
        && let Ok(Ok(count)) =
            timeout(Duration::from_secs(3), stream.write(requests.as_bytes())).await
    {
        written += count;
    }
    assert!(written < 30 * 1024 * 1024, "{written} bytes were taken");
    others_are_served(gateway.address).await;
}
