//! The feed of events, and the operators' stream.

use serde_json::json;

use super::{
    endpoint::{Endpoint, Row, media},
    examples::one,
    parameters::{header, number, query},
    refusals::common,
    schemas::Schemas,
    security::Credential,
};
use crate::{
    domain::Scope,
    http::{
        api_error::ApiError,
        events::{FeedBody, LARGEST_LIMIT, LONGEST_WAIT_SECONDS},
    },
};

/// The feed of a caller.
pub(super) const CALLERS: &[Row] = &[("GET /events", feed)];

/// The stream of operators.
pub(super) const OPERATORS: &[Row] = &[("GET /fineract/events", stream)];

fn feed(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<FeedBody>();
    let cursor = json!({
        "type": ["integer", "string"], "minimum": 0, "maximum": i64::MAX, "pattern": "^now$",
        "description": "The cursor: the `next` of the last answer; `now`: what happens from now on. Without it, the oldest \
                        events come first.",
    });
    let wait = i64::try_from(LONGEST_WAIT_SECONDS).unwrap_or_default();
    Endpoint::new(
        "readEvents",
        "Read what happened to your operations and batches",
        "Tells a caller what happened to its own operations, and a bulk client what happened to its batches and their \
         operations. Store `next` after you have processed the events, and send it as `after`: then you miss nothing.",
    )
    .with(Credential::Caller)
    .with(Credential::BulkClient)
    .parameters([
        query("after", cursor),
        query("limit", number(1, LARGEST_LIMIT.into(), "The largest number of events (100).")),
        query("wait", number(0, wait, "How many seconds to wait for an event if there is none (0).")),
    ])
    .answers(200, "Events in the order of their numbers.", body, one("/events"))
    .refuses([ApiError::UnknownEventOwner, ApiError::InvalidEventQuery, ApiError::EventsDeleted { oldest: 0 }])
    .refuses(common().into_iter().skip(1))
}

fn stream(_: &mut Schemas<'_>) -> Endpoint {
    let stream = json!({
        "type": "string",
        "description": "Server-Sent Events. The `data` of each is JSON with `number`, `type`, `timestamp`, `tracking_id`, \
                        `lane`, `state` and `batch_id`. Every 15 s without an event there is a comment.",
    });
    Endpoint::new(
        "streamEvents",
        "Follow all events as they happen",
        "A stream of all events, with ids only. It begins after `Last-Event-ID`, or after the parameter `after`; without \
         both, with the next event.",
    )
    .with(Credential::Operator(Scope::OpsRead))
    .parameters([
        header("Last-Event-ID"),
        query("after", number(0, i64::MAX, "The number of the event after which the stream begins.")),
    ])
    .answers_as(200, "The stream.", "text/event-stream", media(stream, json!(null)))
    .refuses(common())
    .refuses([
        ApiError::InvalidStreamQuery,
        ApiError::EventsDeleted { oldest: 0 },
        ApiError::TooManyStreams,
    ])
}
