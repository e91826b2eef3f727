//! Tells the readers of this process what was numbered. Each event is read once for all of them.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::broadcast,
    time::{sleep, timeout},
};

use super::{Event, Events};
use crate::{
    store::{Store, patience::RETRY_PAUSE},
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
pub(in crate::store) struct Tail(broadcast::Sender<Arc<[Event]>>);

impl Default for Tail {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT_CHUNKS))
    }
}

/// Gets the events of all owners that are numbered from now on. Create it first, and then read the events that are
/// there already: those in between come twice, and none is missed.
#[derive(Debug)]
pub struct Reader(broadcast::Receiver<Arc<[Event]>>);

impl Reader {
    /// The next events. `None` if this reader was too slow, so that it has missed some, or if the process ends.
    pub async fn next(&mut self) -> Option<Arc<[Event]>> {
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
        let mut position = *numbered.borrow_and_update();
        loop {
            // The sender lives as long as the notifier, so this ends by a number or by the time.
            drop(timeout(POLL, numbered.changed()).await);
            if self.events.0.receiver_count() == 0 {
                // A reader that comes now reads the database after this, and finds these events there.
                position = position.max(*numbered.borrow_and_update());
                continue;
            }
            numbered.mark_unchanged();
            while self.tell_some(&mut position).await {}
        }
    }

    /// Tells the next events after this position, and moves it. Returns whether there are more.
    async fn tell_some(&self, position: &mut i64) -> bool {
        match self.events_of_all(*position, CHUNK).await {
            Ok(Events::Page(page)) => {
                *position = page.next;
                if !page.events.is_empty() {
                    // An error means that the last reader has just gone.
                    drop(self.events.0.send(page.events.into()));
                }
                page.has_more
            }
            Ok(Events::Deleted { oldest }) => {
                *position = oldest;
                true
            }
            Err(error) => {
                tracing::debug!(error = %chain(&error), "new events could not be read; trying again");
                sleep(RETRY_PAUSE).await;
                false
            }
        }
    }
}
