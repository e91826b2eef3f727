//! What attempts concluded and is not written yet: how much, and since when.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{Completion, Store};

/// The most operations that wait to be completed by themselves without taking a place from others.
const MOST_PLACES: usize = 256;

#[derive(Debug)]
struct Waiting {
    since: Instant,
    is_alone: bool,
}

/// The settlements that are not written yet. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Unwritten(Arc<Mutex<HashMap<(Uuid, i32), Waiting>>>);

/// One of them; dropped, it is written.
#[derive(Debug)]
pub(super) struct UnwrittenOne {
    all: Unwritten,
    fence: (Uuid, i32),
    since: Instant,
}

impl Drop for UnwrittenOne {
    fn drop(&mut self) {
        self.all.lock().remove(&self.fence);
    }
}

impl UnwrittenOne {
    /// Notes that it was left out of its batch.
    pub(super) fn is_left_alone(&self) {
        if let Some(waiting) = self.all.lock().get_mut(&self.fence) {
            waiting.is_alone = true;
        }
    }

    /// How long it has waited.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Unwritten {
    fn lock(&self) -> MutexGuard<'_, HashMap<(Uuid, i32), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one that is to be written.
    pub(super) fn add(&self, completion: &Completion) -> UnwrittenOne {
        let fence = completion.fence();
        let since = Instant::now();
        let waiting = Waiting {
            since,
            is_alone: false,
        };
        self.lock().insert(fence, waiting);
        UnwrittenOne {
            all: self.clone(),
            fence,
            since,
        }
    }
}

impl Store {
    /// How long the oldest answer of Fineract's, or conclusion without one, has not been written; zero when all are.
    pub fn oldest_unwritten_answer(&self) -> Duration {
        let all = self.unwritten.lock();
        let ages = all.values().map(|waiting| waiting.since.elapsed());
        ages.max().unwrap_or_default()
    }

    /// Tells the metrics of them.
    pub fn report_unwritten_answers(&self) {
        let count = u32::try_from(self.unwritten.lock().len()).unwrap_or(u32::MAX);
        metrics::gauge!("gateway_unwritten_answers").set(count);
        metrics::gauge!("gateway_oldest_unwritten_answer_seconds")
            .set(self.oldest_unwritten_answer());
    }

    /// How many operations cannot be completed with the others, so that their workers have nothing to do but to wait: others may
    /// take their places. Of a table that is locked as a whole, all are such; that many must not be taken.
    pub fn left_alone(&self) -> usize {
        let all = self.unwritten.lock();
        let alone = all.values().filter(|waiting| waiting.is_alone);
        alone.count().min(MOST_PLACES)
    }
}
