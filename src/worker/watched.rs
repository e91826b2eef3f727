//! Since when this process knows of keys that do not end, by its monotonic clock: the database's may jump.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::domain::{OperationId, decision::History};

/// When this process was first answered "not ended yet" about an operation's key.
#[derive(Debug, Default)]
pub(super) struct Watched {
    since: Mutex<HashMap<OperationId, Instant>>,
}

impl Watched {
    /// Adds to a history how long this process has known its key not to end, where it was the one that
    /// was told so first.
    pub(super) fn look_at<'a>(&self, id: OperationId, history: History<'a>) -> History<'a> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match (history.is_still_running(), history.still_running_answers()) {
            (false, _) => {
                since.remove(&id);
            }
            (true, 1) => {
                since.insert(id, Instant::now());
            }
            (true, _) => {}
        }
        history.watched_for(since.get(&id).map(Instant::elapsed))
    }
}
