//! `GET /fineract/events`: the events of all owners as Server-Sent Events, for operators.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{self, Query, rejection::QueryRejection},
    http::{HeaderMap, HeaderName},
    response::{
        IntoResponse,
        sse::{Event as Message, KeepAlive, Sse},
    },
};
use futures_util::{
    Stream, StreamExt as _,
    stream::{iter, unfold},
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{data::timestamp, streams::OpenStream};
use crate::{
    domain::State,
    http::{access::Validity, api_error::ApiError, operators::Ops, state::ApiState},
    store::{Event, EventType, Events, Reader, Store, TrackingName},
};

/// How many events are read together until the stream has caught up.
const CHUNK: i64 = 200;

/// The time without an event after which the stream contains a comment, so that a broken connection is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The number of the last event that the reader has got (the specification of Server-Sent Events).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The parameters of the stream.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct StreamQuery {
    after: Option<i64>,
}

/// An event as operators see it: ids only.
#[derive(Debug, Serialize)]
struct MessageBody<'a> {
    number: i64,
    r#type: EventType,
    timestamp: String,
    tracking_id: Option<&'a TrackingName>,
    lane: Option<&'a str>,
    state: Option<&'static str>,
    batch_id: Option<String>,
}

/// A stream that has told every event up to `position`.
struct Telling {
    store: Store,
    reader: Reader,
    position: i64,
    has_caught_up: bool,
    has_ended: bool,
    draining: CancellationToken,
    validity: Validity,
    _open: OpenStream,
}

/// Streams events as they are numbered, after `Last-Event-ID` or `after`; without both, from now on.
pub(in crate::http) async fn stream_events(
    ops: Ops,
    extract::State(api): extract::State<Arc<ApiState>>,
    query: Result<Query<StreamQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let Query(query) = query.or(Err(ApiError::InvalidStreamQuery))?;
    stream(&api, cursor(&query, &headers)?, &ops).await
}

/// Streams the events after a cursor; without one, from now on. The stream ends with the credential of its reader.
pub(in crate::http) async fn stream(
    api: &ApiState,
    cursor: Option<i64>,
    ops: &Ops,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let open = api.streams.open(&ops.operator.name);
    let open = open.ok_or(ApiError::TooManyStreams)?;
    let reader = api.store.read_new_events();
    let position = match cursor {
        Some(cursor) => cursor,
        None => api.store.last_event().await?,
    };
    if let Events::Deleted { oldest } = api.store.events_of_all(position, 1).await? {
        return Err(ApiError::EventsDeleted { oldest });
    }
    let telling = Telling {
        store: api.store.clone(),
        reader,
        position,
        has_caught_up: false,
        has_ended: false,
        draining: api.draining.clone(),
        validity: ops.validity.clone(),
        _open: open,
    };
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("still here");
    Ok(Sse::new(telling.into_stream()).keep_alive(heartbeat))
}

/// The cursor that the reader gives. A browser that reconnects gives `Last-Event-ID` besides the `after` of its page.
fn cursor(query: &StreamQuery, headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let last = headers.get(LAST_EVENT_ID).map(|value| {
        let text = value.to_str().ok()?;
        text.parse().ok()
    });
    let cursor = match last {
        Some(last) => Some(last.ok_or(ApiError::InvalidStreamQuery)?),
        None => query.after,
    };
    if cursor.is_some_and(i64::is_negative) {
        return Err(ApiError::InvalidStreamQuery);
    }
    Ok(cursor)
}

impl Telling {
    fn into_stream(self) -> impl Stream<Item = Result<Message, Infallible>> {
        unfold(self, async |mut telling| {
            let messages = telling.next().await?;
            Some((iter(messages.into_iter().map(Ok)), telling))
        })
        .flatten()
    }

    /// The next messages; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Vec<Message>> {
        if self.has_ended {
            return None;
        }
        let draining = self.draining.clone();
        let validity = self.validity.clone();
        let read = draining.run_until_cancelled(async {
            let read = async {
                if self.has_caught_up {
                    self.wait().await
                } else {
                    self.catch_up().await
                }
            };
            tokio::select! {
                biased;
                () = validity.over() => Err("the credential is no longer valid"),
                read = read => read,
            }
        });
        match read.await {
            Some(Ok(messages)) => Some(messages),
            Some(Err(why)) => Some(self.end(why)),
            None => Some(self.end("the gateway shuts down")),
        }
    }

    /// Reads what was numbered before the reader got anything. `Err`: why the stream ends.
    async fn catch_up(&mut self) -> Result<Vec<Message>, &'static str> {
        // What a reader has missed while this stream read older events does not matter.
        self.reader = self.store.read_new_events();
        match self.store.events_of_all(self.position, CHUNK).await {
            Ok(Events::Page(page)) => {
                self.has_caught_up = !page.has_more;
                Ok(self.tell(&page.events, page.next))
            }
            Ok(Events::Deleted { .. }) => Err("the next events are deleted"),
            Err(_) => Err("the database cannot be reached"),
        }
    }

    async fn wait(&mut self) -> Result<Vec<Message>, &'static str> {
        let new = self.reader.next().await.ok_or("too slow")?;
        if new.after > self.position {
            self.has_caught_up = false;
            return Ok(Vec::new());
        }
        Ok(self.tell(&new.events, new.next))
    }

    /// Tells those of the events that were not told yet. `next`: the cursor after them.
    fn tell(&mut self, events: &[Event], next: i64) -> Vec<Message> {
        let new = events.iter().filter(|event| event.number > self.position);
        let messages = new.map(message).collect();
        self.position = self.position.max(next);
        messages
    }

    /// Ends the stream. The reader connects again, and goes on after the last event that it has got.
    fn end(&mut self, why: &str) -> Vec<Message> {
        self.has_ended = true;
        vec![Message::default().comment(why)]
    }
}

fn message(event: &Event) -> Message {
    let body = MessageBody {
        number: event.number,
        r#type: event.event_type,
        timestamp: timestamp(event.at),
        tracking_id: event.operation.as_ref().map(|operation| &operation.name),
        lane: event
            .operation
            .as_ref()
            .map(|operation| operation.lane.as_str()),
        state: event.event_type.state().map(State::as_str),
        batch_id: event.batch_id.map(|id| id.to_string()),
    };
    // The body consists of texts and numbers, which always serialize.
    let data = serde_json::to_string(&body).unwrap_or_default();
    Message::default().id(event.number.to_string()).data(data)
}
