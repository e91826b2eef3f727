//! Tells the readers of this process what was numbered. Each event is read once for all of them.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Events, NewEvents, Reader};
use crate::{
    store::{Store, StoreError, patience::RETRY_PAUSE},
    telemetry::chain,
};

/// How many events are read together.
const CHUNK: i64 = 200;

/// After this time without a notification, the task looks for events if there are readers.
const POLL: Duration = Duration::from_secs(1);

impl Store {
    /// A reader of the events that are numbered from now on.
    pub fn read_new_events(&self) -> Reader {
        self.events.add()
    }

    /// Reads events as they are numbered, for ever, as long as anybody wants to know them.
    pub(super) async fn follow_events(&self) {
        let mut numbered = self.notifier.events.numbered();
        let mut position = None;
        loop {
            // The sender lives as long as the notifier, so this ends by a number or by the time.
            drop(timeout(POLL, numbered.changed()).await);
            if self.events.is_empty() {
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
                self.events.tell(NewEvents {
                    after: last,
                    next: last,
                    events: Vec::new(),
                });
                *position = Some(last);
                continue;
            };
            match self.events_of_all(after, CHUNK).await? {
                Events::Page(page) => {
                    *position = Some(page.next);
                    if !page.events.is_empty() {
                        let (next, events) = (page.next, page.events);
                        self.events.tell(NewEvents {
                            after,
                            next,
                            events,
                        });
                    }
                    if !page.has_more {
                        return Ok(());
                    }
                }
                Events::Deleted { .. } => *position = None,
            }
        }
    }
}
