//! Events: that each path writes them, that they are numbered in one order, and how they are told.

mod batches;
pub(crate) mod feed;
mod minutes;
mod passes;
mod paths;
mod rights;
mod sequencer;
mod stream;

use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::support::{Answer, TestGateway, eventually::eventually_ok, operators::uuid};

/// A numbered event, as it is stored.
#[derive(Debug)]
pub(crate) struct Numbered {
    number: i64,
    event_type: String,
    operation: Option<Uuid>,
}

/// Waits until this many events are numbered, and returns all of them.
pub(crate) async fn numbered(pool: &PgPool, count: usize) -> Vec<Numbered> {
    let events = eventually_ok("the events are numbered", async || {
        let events = sqlx::query_as!(
            Numbered,
            r#"SELECT number, type AS event_type, operation_id AS operation FROM event ORDER BY number"#
        );
        let events = events.fetch_all(pool).await.unwrap();
        if events.len() >= count {
            Ok(events)
        } else {
            Err(events)
        }
    })
    .await;
    assert_eq!(events.len(), count, "{events:#?}");
    events
}

/// Ends an operation in this transaction, as a statement of any gateway would.
async fn end(connection: &mut PgConnection, tracking_id: &str, state: &str) {
    let ended = sqlx::query!(
        "UPDATE operation SET state = $2, due_at = NULL, ended_at = now() WHERE id = $1",
        uuid(tracking_id),
        state
    )
    .execute(connection)
    .await
    .unwrap();
    assert_eq!(ended.rows_affected(), 1);
}

/// Reads the feed of `los`.
pub(crate) async fn feed(gateway: &TestGateway, query: &str) -> Value {
    let answer = Answer::of(gateway.get(&format!("/events{query}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}
