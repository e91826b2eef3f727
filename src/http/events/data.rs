//! An event as its owner sees it: with the answer that track, or the status of the batch, would give now.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    domain::Owner,
    http::{bulk::WholeBatch, state::ApiState, track::TrackBody},
    store::{Event, EventType, StoreError},
};

/// How many operations one request reads at the same time.
const CONCURRENT_READS: usize = 4;

/// Whether the reader gets what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Told {
    /// With this answer. As with track, it is recorded that the caller has read a failure.
    Now,
    /// If a later delivery succeeds, which then records it.
    Later,
}

/// The batches of a page, by `reference_id`.
type Batches = BTreeMap<String, WholeBatch>;

/// An event with its contents.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Event")]
pub(in crate::http) struct EventBody {
    /// The number of the event. Later events have higher numbers.
    number: i64,
    /// What happened.
    r#type: EventType,
    /// When it happened (UTC).
    timestamp: String,
    /// What track, or the status of the batch, answers now. Null if this gateway cannot tell it: ask track later.
    pub(in crate::http) data: Option<Data>,
}

/// What the event is about, as it is now.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
#[schemars(rename = "EventData")]
pub(in crate::http) enum Data {
    Operation(TrackBody),
    Batch(Box<WholeBatch>),
}

/// Reads what each event is about, and each batch once.
pub(in crate::http) async fn read_bodies(
    api: &ApiState,
    owner: &Owner,
    events: &[Event],
    told: Told,
) -> Result<Vec<EventBody>, StoreError> {
    let batches = &read_batches(api, owner, events).await?;
    let reads = events.iter();
    let reads: Vec<_> = reads
        .map(|event| EventBody::read(api, batches, event, told))
        .collect();
    stream::iter(reads)
        .buffered(CONCURRENT_READS)
        .try_collect()
        .await
}

/// Reads the batches of the events that are about a batch, one after the other, because each read counts the rows.
async fn read_batches(
    api: &ApiState,
    owner: &Owner,
    events: &[Event],
) -> Result<Batches, StoreError> {
    let mut batches = Batches::new();
    let client = owner.bulk_client();
    let of_batches = events.iter().filter(|event| event.operation.is_none());
    let references: BTreeSet<&String> = of_batches
        .filter_map(|event| event.batch_reference.as_ref())
        .collect();
    for reference_id in references {
        if let Some(batch) = WholeBatch::read(api, &client, reference_id).await? {
            batches.insert(reference_id.clone(), batch);
        }
    }
    Ok(batches)
}

impl EventBody {
    async fn read(
        api: &ApiState,
        batches: &Batches,
        event: &Event,
        told: Told,
    ) -> Result<Self, StoreError> {
        let data = match (&event.operation, &event.batch_reference) {
            (Some(operation), _) => match operation.tracking_id {
                Some(id) => {
                    let tracked = match told {
                        Told::Now => api.store.track(id, None).await?,
                        Told::Later => api.store.look_at(id).await?,
                    };
                    tracked.map(|tracked| Data::Operation(TrackBody::of(id, tracked)))
                }
                // A newer gateway accepted it. This one cannot tell its result.
                None => None,
            },
            (None, Some(reference_id)) => {
                let batch = batches.get(reference_id).cloned();
                batch.map(|batch| Data::Batch(Box::new(batch)))
            }
            (None, None) => None,
        };
        Ok(Self {
            number: event.number,
            r#type: event.event_type,
            timestamp: timestamp(event.at),
            data,
        })
    }
}

/// A time as events have it.
pub(in crate::http) fn timestamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
