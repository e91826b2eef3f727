//! Tells the readers of this process what was numbered. Each event is read once for all of them.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::broadcast,
    time::{sleep, timeout},
};

use super::{Event, Events};
use crate::{
    store::{Store, StoreError, patience::RETRY_PAUSE},
    telemetry::chain,
};

/// How many events are read together.
const CHUNK: i64 = 200;

/// How many chunks are kept for readers that are behind. A reader that is further behind has to read the database.
const KEPT_CHUNKS: usize = 64;

/// After this time without a notification, the task looks for events if there are readers.
const POLL: Duration = Duration::from_secs(1);

/// The newest events, for the readers of this process.
#[derive(Clone, Debug)]
pub(in crate::store) struct Tail(broadcast::Sender<Arc<NewEvents>>);

impl Default for Tail {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT_CHUNKS))
    }
}

/// All events with a number greater than `after`, up to `next`.
#[derive(Debug)]
pub struct NewEvents {
    /// The cursor before these events. A reader that has read less than this has missed some, and reads the database.
    pub after: i64,
    /// The cursor after these events.
    pub next: i64,
    /// The events. Empty when the task begins to tell: readers then find out whether they have missed any.
    pub events: Vec<Event>,
}

/// Gets the events of all owners that are numbered from now on. Create it first, and then read the events that are
/// there already.
#[derive(Debug)]
pub struct Reader(broadcast::Receiver<Arc<NewEvents>>);

impl Reader {
    /// The next events. `None` if this reader was too slow, so that it has missed some, or if the process ends.
    pub async fn next(&mut self) -> Option<Arc<NewEvents>> {
        self.0.recv().await.ok()
    }
}

impl Store {
    /// A reader of the events that are numbered from now on.
    pub fn read_new_events(&self) -> Reader {
        Reader(self.events.0.subscribe())
    }

    /// Reads events as they are numbered, for ever, as long as anybody wants to know them.
    pub(super) async fn follow_events(&self) {
        let mut numbered = self.notifier.events.numbered();
        let mut position = None;
        loop {
            // The sender lives as long as the notifier, so this ends by a number or by the time.
            drop(timeout(POLL, numbered.changed()).await);
            if self.events.0.receiver_count() == 0 {
                position = None;
                continue;
            }
            if let Err(error) = self.tell_new(&mut position).await {
                tracing::debug!(error = %chain(&error), "new events could not be read; trying again");
                sleep(RETRY_PAUSE).await;
            }
        }
    }

    /// Tells the events after this position, and moves it. Without a position, begins after the newest event.
    async fn tell_new(&self, position: &mut Option<i64>) -> Result<(), StoreError> {
        loop {
            let Some(after) = *position else {
                let last = self.last_event().await?;
                self.tell(last, last, Vec::new());
                *position = Some(last);
                continue;
            };
            match self.events_of_all(after, CHUNK).await? {
                Events::Page(page) => {
                    *position = Some(page.next);
                    if !page.events.is_empty() {
                        self.tell(after, page.next, page.events);
                    }
                    if !page.has_more {
                        return Ok(());
                    }
                }
                Events::Deleted { .. } => *position = None,
            }
        }
    }

    fn tell(&self, after: i64, next: i64, events: Vec<Event>) {
        let chunk = NewEvents {
            after,
            next,
            events,
        };
        // An error means that the last reader has just gone.
        drop(self.events.0.send(Arc::new(chunk)));
    }
}
