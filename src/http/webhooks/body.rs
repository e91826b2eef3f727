//! What a delivery contains.

use serde::Serialize;

use crate::{
    domain::OperationId,
    http::{
        events::{Data, Told, read_bodies, timestamp},
        state::ApiState,
    },
    store::{Event, EventOwner, EventType, StoreError, TrackingName},
};

/// The body of a message, by the Standard Webhooks specification.
#[derive(Debug, Serialize)]
struct Body<D> {
    r#type: EventType,
    timestamp: String,
    data: D,
}

/// What a thin delivery says: ids, with which its reader asks.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Ids<'a> {
    Operation { tracking_id: &'a TrackingName },
    Batch { reference_id: Option<&'a str> },
}

/// Makes the body of each event: with what track, or the status of the batch, answers now, or with ids only.
pub(super) async fn bodies(
    api: &ApiState,
    owner: &EventOwner,
    events: &[Event],
    thin: bool,
) -> Result<Vec<String>, StoreError> {
    if thin {
        return Ok(events.iter().map(|event| json(event, ids(event))).collect());
    }
    let told = read_bodies(api, owner, events, Told::Later).await?;
    let bodies = events.iter().zip(told);
    Ok(bodies
        .map(|(event, told)| json::<Option<Data>>(event, told.data))
        .collect())
}

fn json<D: Serialize>(event: &Event, data: D) -> String {
    let body = Body {
        r#type: event.event_type,
        timestamp: timestamp(event),
        data,
    };
    // The body consists of texts, numbers and JSON that was read from the database, which always serialize.
    serde_json::to_string(&body).unwrap_or_default()
}

fn ids(event: &Event) -> Ids<'_> {
    match &event.operation {
        Some(operation) => Ids::Operation {
            tracking_id: &operation.name,
        },
        None => Ids::Batch {
            reference_id: event.batch_reference.as_deref(),
        },
    }
}

/// The operation whose failure the reader of this event then knows.
pub(super) fn failure_told(event: &Event) -> Option<OperationId> {
    let operation = event.operation.as_ref()?;
    let is_failure = event.event_type == EventType::Failed;
    operation
        .tracking_id
        .filter(|_| is_failure)
        .map(|tracking_id| tracking_id.id)
}
