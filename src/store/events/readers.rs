//! The readers of this process, each of which gets the newest events from memory.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::event::Event;

/// How many chunks are kept for readers that are behind. A reader that is further behind has to read the database.
const KEPT_CHUNKS: usize = 64;

/// The readers of this process.
#[derive(Clone, Debug)]
pub(in crate::store) struct Readers(broadcast::Sender<Arc<NewEvents>>);

impl Default for Readers {
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
    /// Waits until there may be a new event of this owner: until there is one, or this reader has missed some.
    pub async fn until_owner(&mut self, owner: &str) {
        while let Some(new) = self.next().await {
            let may_have_missed = new.events.is_empty();
            if may_have_missed || new.events.iter().any(|event| event.owner == owner) {
                return;
            }
        }
    }

    /// The next events. `None` if this reader was too slow, so that it has missed some, or if the process ends.
    pub async fn next(&mut self) -> Option<Arc<NewEvents>> {
        self.0.recv().await.ok()
    }
}

impl Readers {
    /// A reader of the events that are numbered from now on.
    pub(super) fn add(&self) -> Reader {
        Reader(self.0.subscribe())
    }

    /// Whether there is no reader.
    pub(super) fn is_empty(&self) -> bool {
        self.0.receiver_count() == 0
    }

    pub(super) fn tell(&self, new: NewEvents) {
        // An error means that the last reader has just gone.
        drop(self.0.send(Arc::new(new)));
    }
}
