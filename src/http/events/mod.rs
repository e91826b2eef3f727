//! `GET /events`: what happened to the caller's own operations and batches, and `GET /fineract/events`: what happened to
//! all of them, as a stream for operators.

mod data;
mod stream;
mod streams;

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use tokio::time::{Instant, timeout_at};

pub use self::streams::Streams;
pub(super) use self::{
    data::{Data, EventBody, Told, read_bodies, timestamp},
    stream::{stream, stream_events},
};
use super::{
    access::{Caller, Validity},
    api_error::ApiError,
    state::ApiState,
};
use crate::{
    domain::Owner,
    store::{EventPage, Events},
};

const DEFAULT_LIMIT: u16 = 100;
pub(super) const LARGEST_LIMIT: u16 = 500;

/// The longest wait. Proxies commonly time out after 60 s.
pub(super) const LONGEST_WAIT_SECONDS: u64 = 50;

/// The parameters of the feed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedQuery {
    after: Option<After>,
    limit: Option<u16>,
    wait: Option<u64>,
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug)]
enum After {
    /// After the event with this number.
    Number(i64),
    /// With what happens from now on.
    Now,
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(number) if number >= 0 => Ok(Self::Number(number)),
            Err(_) if text == "now" => Ok(Self::Now),
            Ok(_) | Err(_) => Err(D::Error::custom("must be the number of an event, or now")),
        }
    }
}

/// Events, in the order of their numbers.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "EventPage")]
pub(super) struct FeedBody {
    /// The events in the order of their numbers.
    events: Vec<EventBody>,
    /// The `after` of the next request.
    next: i64,
    /// Whether there are more events already.
    has_more: bool,
}

/// Tells the caller's events after a cursor. With `wait`, waits for the first one if there is none.
pub(super) async fn tell_events(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    query: Result<Query<FeedQuery>, QueryRejection>,
) -> Result<Json<FeedBody>, ApiError> {
    let Query(query) = query.or(Err(ApiError::InvalidEventQuery))?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let wait = query.wait.unwrap_or_default();
    if !(1..=LARGEST_LIMIT).contains(&limit) || wait > LONGEST_WAIT_SECONDS {
        return Err(ApiError::InvalidEventQuery);
    }
    let after = match query.after {
        Some(After::Number(number)) => Some(number),
        Some(After::Now) => Some(api.store.last_event().await?),
        None => None,
    };
    let feed = Feed {
        api: &api,
        owner: &caller.owner,
        limit: i64::from(limit),
        validity: &caller.validity,
    };
    let page = feed.read_patiently(after, wait).await?;
    Ok(Json(FeedBody {
        events: read_bodies(&api, &caller.owner, &page.events, Told::Now).await?,
        next: page.next,
        has_more: page.has_more,
    }))
}

/// The events of one owner, for one request.
struct Feed<'a> {
    api: &'a ApiState,
    owner: &'a Owner,
    limit: i64,
    validity: &'a Validity,
}

impl Feed<'_> {
    /// Reads events. If there are none, waits until there is one, the time has passed or the process shuts down. An error
    /// if the credential of the request is no longer valid.
    async fn read_patiently(&self, after: Option<i64>, wait: u64) -> Result<EventPage, ApiError> {
        let deadline = Instant::now() + Duration::from_secs(wait);
        let mut reader = self.api.store.read_new_events();
        loop {
            let page = match self
                .api
                .store
                .events_of(self.owner, after, self.limit)
                .await?
            {
                Events::Page(page) => page,
                Events::Deleted { oldest } => return Err(ApiError::EventsDeleted { oldest }),
            };
            if !page.events.is_empty() {
                return Ok(page);
            }
            let name = self.owner.to_string();
            let its_own = reader.until_owner(&name);
            let is_over = tokio::select! {
                waited = timeout_at(deadline, its_own) => waited.is_err(),
                () = self.api.draining.cancelled() => true,
                () = self.validity.over() => return Err(ApiError::UnknownEventOwner),
            };
            if is_over {
                return Ok(page);
            }
        }
    }
}
