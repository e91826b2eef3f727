//! What a delivery contains.

use serde::Serialize;

use crate::{
    domain::{OperationId, Owner},
    http::{
        events::{Data, Told, read_bodies, timestamp},
        state::ApiState,
    },
    store::{Event, EventType, StoreError, TrackingName},
};

/// What is sent about an event.
#[derive(Debug)]
pub(super) struct Content {
    /// The body, which is JSON.
    pub(super) body: String,
    /// The operation whose failure its reader then knows.
    pub(super) failure: Option<OperationId>,
}

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

/// Makes what is sent about each event: what track, or the status of the batch, answers now, or ids only.
pub(super) async fn contents(
    api: &ApiState,
    owner: &Owner,
    events: &[Event],
    thin: bool,
) -> Result<Vec<Content>, StoreError> {
    if thin {
        let contents = events.iter().map(|event| Content {
            body: json(event, ids(event)),
            // Its reader has yet to ask for the failure.
            failure: None,
        });
        return Ok(contents.collect());
    }
    let told = read_bodies(api, owner, events, Told::Later).await?;
    let contents = events.iter().zip(told).map(|(event, told)| Content {
        failure: told.data.as_ref().and_then(|_| failure(event)),
        body: json::<Option<Data>>(event, told.data),
    });
    Ok(contents.collect())
}

fn json<D: Serialize>(event: &Event, data: D) -> String {
    let body = Body {
        r#type: event.event_type,
        timestamp: timestamp(event.at),
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

/// The operation that has failed.
fn failure(event: &Event) -> Option<OperationId> {
    let operation = event.operation.as_ref()?;
    let tracking_id = operation.tracking_id?;
    (event.event_type == EventType::Failed).then_some(tracking_id.id)
}
