//! Unwritten answers: completions that are not written to the database yet.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::completion::Completion;

/// When a worker counts the operations that it runs, it does not count operations that wait for their completion. This
/// is the largest number of operations that the worker leaves out of its count.
const MAX_UNCOUNTED: usize = 256;

#[derive(Debug)]
struct Waiting {
    since: Instant,
    is_left_out: bool,
}

/// The completions that are not written yet. Clones share the list.
#[derive(Clone, Debug, Default)]
pub(super) struct Unwritten(Arc<Mutex<HashMap<(Uuid, i32), Waiting>>>);

/// An entry of the list of unwritten completions. Drop it when the completion is written: this removes the entry from
/// the list.
#[derive(Debug)]
pub(super) struct UnwrittenCompletion {
    all: Unwritten,
    fence: (Uuid, i32),
    since: Instant,
}

impl Drop for UnwrittenCompletion {
    fn drop(&mut self) {
        self.all.lock().remove(&self.fence);
    }
}

impl UnwrittenCompletion {
    /// Marks the completion as left out of its batch.
    pub(super) fn mark_left_out(&self) {
        if let Some(waiting) = self.all.lock().get_mut(&self.fence) {
            waiting.is_left_out = true;
        }
    }

    /// How long the completion has waited.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Unwritten {
    fn lock(&self) -> MutexGuard<'_, HashMap<(Uuid, i32), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a completion that is to be written.
    pub(super) fn add(&self, completion: &Completion) -> UnwrittenCompletion {
        let fence = completion.fence();
        let since = Instant::now();
        let waiting = Waiting {
            since,
            is_left_out: false,
        };
        self.lock().insert(fence, waiting);
        UnwrittenCompletion {
            all: self.clone(),
            fence,
            since,
        }
    }
}

impl Unwritten {
    /// The age of the oldest unwritten answer; zero if every answer is written.
    pub(super) fn oldest_age(&self) -> Duration {
        let all = self.lock();
        let ages = all.values().map(|waiting| waiting.since.elapsed());
        ages.max().unwrap_or_default()
    }

    /// Sets the gauges of unwritten answers.
    pub(super) fn report(&self) {
        let count = u32::try_from(self.lock().len()).unwrap_or(u32::MAX);
        metrics::gauge!("gateway_unwritten_answers").set(count);
        metrics::gauge!("gateway_oldest_unwritten_answer_seconds").set(self.oldest_age());
    }

    /// How many completions were left out of their batches, at most `MAX_UNCOUNTED`.
    pub(super) fn left_out(&self) -> usize {
        let all = self.lock();
        let left_out = all.values().filter(|waiting| waiting.is_left_out);
        left_out.count().min(MAX_UNCOUNTED)
    }
}
