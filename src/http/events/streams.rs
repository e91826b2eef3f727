//! How many streams of events a process serves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many streams one process serves.
const MOST_STREAMS: usize = 200;
/// How many of them one operator may have, so that nobody takes all of them.
const MOST_OF_AN_OPERATOR: usize = 20;

/// The streams that the process may still open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Streams {
    all: Arc<Semaphore>,
    /// The streams that each operator who has opened one may still open, by name.
    of_operators: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

/// A stream that is open.
#[derive(Debug)]
pub(super) struct OpenStream {
    _of_all: OwnedSemaphorePermit,
    _of_operator: OwnedSemaphorePermit,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(MOST_STREAMS)),
            of_operators: Arc::default(),
        }
    }
}

impl Streams {
    /// One more stream of this operator; `None` if there are too many.
    pub(super) fn open(&self, operator: &str) -> Option<OpenStream> {
        let of_operator = {
            let mut known = self
                .of_operators
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let entry = known.entry(operator.to_owned());
            Arc::clone(entry.or_insert_with(|| Arc::new(Semaphore::new(MOST_OF_AN_OPERATOR))))
        };
        Some(OpenStream {
            _of_operator: of_operator.try_acquire_owned().ok()?,
            _of_all: Arc::clone(&self.all).try_acquire_owned().ok()?,
        })
    }
}
