//! The ends that this process has committed within the last seconds. Their callers ask for them at once, and need no
//! statement for the answer. An end is final, so what is kept here stays true.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::track_row::Row;
use crate::domain::OperationId;

/// How many ends are kept.
const MOST: usize = 1_024;
/// How long an end is used. If the database loses a commit in a failover, callers see so after this time at the latest.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// The ends that are kept. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentEnds(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    rows: HashMap<Uuid, Arc<Row>>,
    /// In the order of their commits.
    order: VecDeque<(Instant, Uuid)>,
}

impl RecentEnds {
    /// Adds the rows of operations whose ends were committed just now.
    pub(super) fn add(&self, ended: Vec<Row>) {
        let now = Instant::now();
        let mut kept = self.lock();
        for row in ended {
            kept.order.push_back((now, row.id));
            kept.rows.insert(row.id, Arc::new(row));
        }
        kept.forget();
    }

    /// The row of an operation that has ended just now in this process.
    pub(super) fn find(&self, id: OperationId) -> Option<Arc<Row>> {
        let mut kept = self.lock();
        kept.forget();
        kept.rows.get(&id.0).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Removes what is too old or too much.
    fn forget(&mut self) {
        while let Some((since, id)) = self.order.front() {
            if self.order.len() <= MOST && since.elapsed() <= KEPT_FOR {
                return;
            }
            self.rows.remove(id);
            self.order.pop_front();
        }
    }
}
