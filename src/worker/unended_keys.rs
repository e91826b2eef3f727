//! Measures how long Fineract has been answering that a command has not ended. It uses the monotonic clock, because
//! the database's clock may jump.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::domain::{OperationId, decision::History};

/// When this process first received the answer "not ended yet" to an operation's key.
#[derive(Debug, Default)]
pub(super) struct UnendedKeys {
    since: Mutex<HashMap<OperationId, Instant>>,
}

impl UnendedKeys {
    /// Adds to the history for how long Fineract has answered "not ended yet" to this key, if this process
    /// received the first such answer.
    pub(super) fn observe<'a>(&self, id: OperationId, history: History<'a>) -> History<'a> {
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
