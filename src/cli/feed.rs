//! A caller's events, as `events tail` and `webhooks listen` follow them.

use std::time::Instant;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    connection::{Connection, parse},
    patience::{Patience, pace},
};

/// How many seconds one request waits for an event. Many proxies end a request after 30 or 60 seconds.
const WAIT: &str = "25";

/// The events after a cursor.
#[derive(Debug)]
pub(super) struct Feed {
    connection: Connection,
    cursor: i64,
    patience: Patience,
}

/// An answer of the gateway.
#[derive(Deserialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    next: i64,
}

/// An event.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) number: i64,
    pub(super) r#type: String,
    pub(super) timestamp: String,
    pub(super) data: Box<RawValue>,
}

/// What an event is about. Without data, a newer gateway has accepted the operation.
#[derive(Default, Deserialize)]
struct Subject {
    tracking_id: Option<String>,
    reference_id: Option<String>,
    error_message: Option<String>,
}

impl Feed {
    /// Begins after this cursor; without one, with what happens from now on.
    pub(super) async fn begin(connection: Connection, after: Option<i64>) -> anyhow::Result<Self> {
        let mut feed = Self {
            connection,
            cursor: after.unwrap_or_default(),
            patience: Patience::default(),
        };
        if after.is_none() {
            feed.cursor = feed.read("now", "0").await?.next;
            feed.patience.answered();
        }
        Ok(feed)
    }

    /// The cursor after the last event.
    pub(super) fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Waits for the next events. If the connection is lost, the next events after it come all the same.
    pub(super) async fn next(&mut self) -> anyhow::Result<Vec<Box<RawValue>>> {
        loop {
            let asked_at = Instant::now();
            match self.read(&self.cursor.to_string(), WAIT).await {
                Ok(page) => {
                    self.patience.answered();
                    self.cursor = page.next;
                    if !page.events.is_empty() {
                        return Ok(page.events);
                    }
                    pace(asked_at).await;
                }
                Err(error) => self.patience.pause_after(error).await?,
            }
        }
    }

    async fn read(&self, after: &str, wait: &str) -> anyhow::Result<Page> {
        let query = [("after", after), ("wait", wait)];
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned()));
        parse(&self.connection.get("events", &query).await?)
    }
}

impl Event {
    /// The event as one line.
    pub(super) fn line(&self) -> String {
        let subject: Option<Subject> = serde_json::from_str(self.data.get()).unwrap_or_default();
        let Subject {
            tracking_id,
            reference_id,
            error_message,
        } = subject.unwrap_or_default();
        let name = tracking_id.or(reference_id).unwrap_or_default();
        let message = error_message.map(|message| format!("  {message}"));
        format!(
            "{}  {:<19}  {name}{}",
            self.timestamp,
            self.r#type,
            message.unwrap_or_default()
        )
    }
}
