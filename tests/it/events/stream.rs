//! `GET /fineract/events`: the operators' stream.

use fineract_gateway::domain::CredentialKind;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::timeout;

use super::numbered;
use crate::{
    keys::Key,
    support::{
        Answer, OPS_TOKEN, TestGateway,
        eventually::{DEADLINE, eventually},
        fixtures::{client_update, done},
    },
};

/// A stream that is open.
struct Stream {
    response: Response,
    unread: String,
}

impl Stream {
    async fn open(gateway: &TestGateway, last_event_id: Option<&str>) -> Self {
        Self::open_as(gateway, OPS_TOKEN, last_event_id).await
    }

    async fn open_as(gateway: &TestGateway, secret: &str, last_event_id: Option<&str>) -> Self {
        let mut request = gateway
            .request(Method::GET, "/fineract/events")
            .header("X-Internal-Token", secret)
            .timeout(DEADLINE);
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            unread: String::new(),
        }
    }

    /// The lines of the next message; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.find("\n\n") {
                let message = self.unread.drain(..end + 2);
                return Some(message.as_str().trim_end().to_owned());
            }
            let chunk = timeout(DEADLINE, self.response.chunk()).await;
            let chunk = chunk.unwrap().unwrap()?;
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The id and the data of the next event.
    async fn event(&mut self) -> (String, Value) {
        let message = self.next().await.unwrap();
        let (id, data) = message.split_once('\n').unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        let id = id.strip_prefix("id: ").unwrap();
        (id.to_owned(), serde_json::from_str(data).unwrap())
    }
}

#[sqlx::test]
async fn events_come_as_they_happen_and_after_the_last_one(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_update("A")).await;
    gateway.end_next(done()).await;
    numbered(&pool, 1).await;
    let mut stream = Stream::open(&gateway, None).await;
    let id = gateway.accept(&client_update("B")).await;
    gateway.end_next(done()).await;
    let (last, event) = stream.event().await;
    let timestamp = event["timestamp"].clone();
    assert_eq!(
        event,
        json!({
            "number": last.parse::<i64>().unwrap(),
            "type": "operation.succeeded",
            "timestamp": timestamp,
            "tracking_id": id,
            "lane": "client:b",
            "state": "succeeded",
            "batch_id": null
        })
    );
    drop(stream);
    let third = gateway.accept(&client_update("C")).await;
    gateway.end_next(done()).await;
    numbered(&pool, 3).await;
    let mut again = Stream::open(&gateway, Some(&last)).await;
    assert_eq!(again.event().await.1["tracking_id"], third);
    let fourth = gateway.accept(&client_update("D")).await;
    gateway.end_next(done()).await;
    assert_eq!(again.event().await.1["tracking_id"], fourth);
}

#[sqlx::test]
async fn a_stream_ends_when_the_gateway_drains(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut stream = Stream::open(&gateway, None).await;
    gateway.draining.cancel();
    assert_eq!(stream.next().await.unwrap(), ": the gateway shuts down");
    assert_eq!(stream.next().await, None);
}

/// A key of an operator who may open streams.
async fn another_operator(gateway: &TestGateway) -> Key {
    let scopes = json!({ "scopes": ["ops.read"] });
    Key::create(gateway, CredentialKind::Ops, scopes).await
}

/// What a gateway answers to another stream of `admin`.
async fn status_of_another(gateway: &TestGateway) -> StatusCode {
    let request = gateway.request(Method::GET, "/fineract/events");
    let request = request.header("X-Internal-Token", OPS_TOKEN);
    request.send().await.unwrap().status()
}

#[sqlx::test]
async fn an_operator_has_at_most_20(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(Stream::open(&gateway, None).await);
    }
    let another = gateway.request(Method::GET, "/fineract/events");
    let answer = Answer::of(another.header("X-Internal-Token", OPS_TOKEN)).await;
    assert_eq!(answer.problem(), (503, "too_many_streams".to_owned()));
    assert_eq!(answer.header("retry-after"), "5");
    let other = another_operator(&gateway).await;
    Stream::open_as(&gateway, &other.secret, None).await;
    streams.pop();
    eventually("a stream is free", async || {
        status_of_another(&gateway).await == StatusCode::OK
    })
    .await;
}

#[sqlx::test]
async fn a_process_serves_at_most_200(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        let operator = another_operator(&gateway).await;
        for _ in 0..20 {
            streams.push(Stream::open_as(&gateway, &operator.secret, None).await);
        }
    }
    let refused = status_of_another(&gateway).await;
    assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
    streams.pop();
    eventually("a stream is free", async || {
        status_of_another(&gateway).await == StatusCode::OK
    })
    .await;
}

const MANY: usize = 100_000;

/// More events than the buffers of the connection and of the gateway hold.
const MANY_EVENTS: &str = "
    WITH told AS (
        INSERT INTO event (number, type, owner, operation_id, at)
        SELECT s.last + n, 'operation.parked', 'token:los', gen_random_uuid(), now()
          FROM event_sequence s, generate_series(1, 100000) n
        RETURNING number)
    UPDATE event_sequence SET last = (SELECT max(number) FROM told)";

#[sqlx::test]
async fn a_reader_that_is_too_slow_is_dropped_and_misses_none(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut slow = Stream::open(&gateway, None).await;
    let mut fast = Stream::open(&gateway, None).await;
    // Both have caught up, so they get what is new from memory.
    gateway.accept(&client_update("A")).await;
    gateway.end_next(done()).await;
    let (first, _) = slow.event().await;
    assert_eq!(fast.event().await.0, first);
    sqlx::raw_sql(MANY_EVENTS).execute(&pool).await.unwrap();
    for _ in 0..MANY {
        // A fast reader may fall behind too, on a slow machine. It goes on after its last event.
        let Some(message) = fast.next().await else {
            break;
        };
        if message.starts_with(':') {
            break;
        }
    }
    let (mut last, mut got, mut was_dropped) = (String::new(), 0, false);
    while got < MANY {
        match slow.next().await {
            Some(message) if message.starts_with("id: ") => {
                got += 1;
                last = message.lines().next().unwrap()[4..].to_owned();
            }
            Some(comment) => {
                assert_eq!(comment, ": too slow");
                was_dropped = true;
            }
            None => slow = Stream::open(&gateway, Some(&last)).await,
        }
    }
    assert!(was_dropped);
    let numbers = sqlx::query_scalar!("SELECT max(number) AS \"last!\" FROM event");
    let newest = numbers.fetch_one(&pool).await.unwrap();
    assert_eq!(last, newest.to_string());
}
