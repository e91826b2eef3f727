//! An event as its owner sees it: with the answer that track, or the status of the batch, would give now.

use serde::Serialize;

use crate::{
    http::{bulk::WholeBatch, state::ApiState, track::TrackBody},
    store::{Event, EventOwner, EventType, StoreError},
};

/// An event with its contents.
#[derive(Debug, Serialize)]
pub(super) struct EventBody {
    number: i64,
    r#type: EventType,
    timestamp: String,
    data: Option<Data>,
}

/// What the event is about, as it is now.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Data {
    Operation(TrackBody),
    Batch(Box<WholeBatch>),
}

impl EventBody {
    /// Reads what the event is about. As with track, this records that the caller has read a failure.
    pub(super) async fn read(
        api: &ApiState,
        owner: &EventOwner,
        event: &Event,
    ) -> Result<Self, StoreError> {
        let data = match (&event.operation, owner, &event.batch_reference) {
            (Some(operation), _, _) => match operation.tracking_id {
                Some(id) => {
                    let tracked = api.store.track(id).await?;
                    tracked.map(|tracked| Data::Operation(TrackBody::of(id, tracked)))
                }
                // A newer gateway accepted it. This one cannot tell its result.
                None => None,
            },
            (None, EventOwner::BulkClient(client), Some(reference_id)) => {
                let batch = WholeBatch::read(api, client, reference_id).await?;
                batch.map(|batch| Data::Batch(Box::new(batch)))
            }
            (None, _, _) => None,
        };
        Ok(Self {
            number: event.number,
            r#type: event.event_type,
            timestamp: timestamp(event),
            data,
        })
    }
}

/// When the event became true.
pub(super) fn timestamp(event: &Event) -> String {
    event.at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
