//! Wakes the sequencer when there are new events, and the readers when events were numbered.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// The part of the notifier that concerns events. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct EventNotifier {
    new: Arc<Notify>,
    numbered: watch::Sender<i64>,
    to_send: Arc<Notify>,
}

impl Default for EventNotifier {
    fn default() -> Self {
        Self {
            new: Arc::default(),
            numbered: watch::Sender::new(0),
            to_send: Arc::default(),
        }
    }
}

impl EventNotifier {
    /// Waits until there may be events to number.
    pub(super) async fn new_events(&self) {
        self.new.notified().await;
    }

    /// Wakes the sequencer. Call this method after the commit of a transaction that has ended or parked operations.
    pub(super) fn notify_new(&self) {
        self.new.notify_one();
    }

    /// The highest number of an event, as far as this process knows it.
    pub(super) fn numbered(&self) -> watch::Receiver<i64> {
        self.numbered.subscribe()
    }

    /// Wakes the readers, also those of the other gateways. Call this method after the commit that numbered events up to
    /// `last`.
    pub(super) fn notify_numbered(&self, last: i64) {
        self.raise(last);
        self.to_send.notify_one();
    }

    /// Wakes the readers of this process.
    pub(super) fn raise(&self, last: i64) {
        self.numbered.send_if_modified(|known| {
            let is_new = *known < last;
            *known = (*known).max(last);
            is_new
        });
    }

    /// Waits until the other gateways have to be notified, and returns the last number.
    pub(super) async fn to_send(&self) -> i64 {
        self.to_send.notified().await;
        *self.numbered.borrow()
    }
}
