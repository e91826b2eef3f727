//! A model of the lanes: which operations may run, and which fail as dependents.

use std::{collections::HashMap, time::Duration};

use fineract_gateway::{
    domain::{Checked, End, Lane, LaneAccess, OperationId, OperationType, Outcome, ResourceId},
    store::{Accepted, Claimed, Completion, NewOperation, Operator, Store},
};
use serde_json::value::RawValue;
use sqlx::PgPool;

use super::{How, Step};
use crate::support::claim_limits;

/// An accepted operation whose end the model has not seen.
#[derive(Debug)]
struct Live {
    order: usize,
    lanes: LaneAccess,
    creates: bool,
}

/// A failure on which later operations of a lane depend. `below` is the order of the first operation that does not
/// depend on it: the next create, or the first operation after a cancel, because its caller knows about the cancel.
#[derive(Debug)]
struct Fallen {
    lane: Lane,
    order: usize,
    below: usize,
}

impl Fallen {
    fn covers(&self, live: &Live) -> bool {
        self.order < live.order && live.order < self.below
    }
}

/// The expected state, which the model compares with the store.
pub(super) struct Model {
    store: Store,
    live: HashMap<OperationId, Live>,
    claimed: Vec<Claimed>,
    fallen: Vec<Fallen>,
    accepted: usize,
    ended: usize,
}

impl Model {
    /// A model without accepted operations.
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            live: HashMap::new(),
            claimed: vec![],
            fallen: vec![],
            accepted: 0,
            ended: 0,
        }
    }

    async fn accept(&mut self, client: u8, loan: Option<u8>, creates: bool) {
        let client = Lane::client(&format!("C-{client}"));
        let lanes = match loan {
            Some(loan) => LaneAccess {
                writes: Lane::loan(&format!("L-{loan}")),
                reads: Some(client),
            },
            None => LaneAccess {
                writes: client,
                reads: None,
            },
        };
        let checked = Checked {
            lanes: lanes.clone(),
            reference: None,
            lender: None,
        };
        let id = OperationId::new();
        if creates {
            let failed = self.fallen.iter_mut();
            for failed in failed.filter(|failed| failed.lane == lanes.writes) {
                failed.below = failed.below.min(self.accepted);
            }
        }
        let accepted = self
            .store
            .accept(NewOperation {
                id,
                operation_type: match (creates, loan) {
                    (true, Some(_)) => OperationType::LoanCreate,
                    (true, None) => OperationType::ClientCreate,
                    (false, _) => OperationType::LoanUpdate,
                },
                payload: RawValue::from_string("{}".to_owned()).unwrap(),
                checked,
                caller: "test".to_owned(),
                caller_key: None,
                retry_of: None,
                expires_at: None,
                trace_parent: None,
            })
            .await
            .unwrap();
        assert_eq!(accepted, Accepted::New);
        let order = self.accepted;
        let live = Live {
            order,
            lanes,
            creates,
        };
        self.live.insert(id, live);
        self.accepted += 1;
    }

    async fn claim(&mut self, count: i64) -> usize {
        let limits = claim_limits(count, OperationType::ALL);
        let claimed = self.store.claim(&limits).await.unwrap();
        for operation in &claimed {
            self.check_its_turn(operation.id);
        }
        let count = claimed.len();
        self.claimed.extend(claimed);
        count
    }

    fn falls(&self, live: &Live) -> bool {
        self.fallen.iter().any(|failed| {
            let covers = failed.covers(live);
            covers
                && (failed.lane == live.lanes.writes
                    || Some(&failed.lane) == live.lanes.reads.as_ref())
        })
    }

    fn note_fallen(&mut self, live: Live, below: usize) {
        let creates = self.live.values().filter(|other| {
            other.creates && other.lanes.writes == live.lanes.writes && other.order > live.order
        });
        let below = creates.map(|create| create.order).fold(below, usize::min);
        self.fallen.push(Fallen {
            lane: live.lanes.writes,
            order: live.order,
            below,
        });
    }

    fn check_its_turn(&self, id: OperationId) {
        let claimed = &self.live[&id];
        assert!(
            !self.falls(claimed),
            "the operation should have failed as a dependent: {claimed:?} with {:?}",
            self.fallen
        );
        let is_earlier = |other: &&Live| other.order < claimed.order;
        for other in self.live.values().filter(is_earlier) {
            let writes = other.lanes.writes == claimed.lanes.writes
                || Some(&other.lanes.writes) == claimed.lanes.reads.as_ref();
            let reads = other.lanes.reads.as_ref() == Some(&claimed.lanes.writes);
            assert!(
                !writes && !reads,
                "{:?} runs before {:?}",
                claimed.lanes,
                other.lanes
            );
        }
    }

    async fn end(&mut self, index: usize, how: How) {
        if self.claimed.is_empty() {
            return;
        }
        let claimed = self.claimed.swap_remove(index % self.claimed.len());
        let outcome = match how {
            How::Success => success(),
            How::Failure | How::FailureThatFells => Outcome::End(End::Failed {
                body: None,
                message: "refused".to_owned(),
                code: "test".to_owned(),
                fails_dependents: how == How::FailureThatFells,
            }),
            How::Again => Outcome::Retry {
                counts: Some(true),
                delay: Duration::ZERO,
                new_key: false,
                reason_code: "test",
            },
        };
        let completed = self
            .store
            .complete(Completion::of(&claimed, None, outcome))
            .await
            .unwrap();
        assert!(completed, "the claim was held");
        if how == How::Again {
            return;
        }
        self.ended += 1;
        let live = self.live.remove(&claimed.id).unwrap();
        if how == How::FailureThatFells {
            self.note_fallen(live, usize::MAX);
            while self.store.fail_some_dependents().await.unwrap() {}
        }
    }

    async fn cancel(&mut self, index: usize) {
        let mut unclaimed: Vec<_> = self.live.keys().copied().collect();
        unclaimed.retain(|id| self.claimed.iter().all(|claimed| claimed.id != *id));
        unclaimed.sort_unstable();
        let Some(&id) = unclaimed.get(index % unclaimed.len().max(1)) else {
            return;
        };
        let found = self.store.find(id).await.unwrap().unwrap();
        let [name, request_id] = ["test"; 2].map(str::to_owned);
        let operator = Operator {
            name,
            request_id,
            ..Operator::default()
        };
        self.store.cancel(&found, &operator).await.unwrap();
        self.ended += 1;
        let live = self.live.remove(&id).unwrap();
        // An unread failure further back in the lane still covers operations that are accepted later.
        self.note_fallen(live, self.accepted);
    }

    /// Removes the operations that the store has ended as dependents.
    async fn forget_fallen(&mut self, pool: &PgPool) {
        let failed =
            sqlx::query_scalar!("SELECT operation_id FROM result WHERE code LIKE 'behind_%'")
                .fetch_all(pool)
                .await
                .unwrap();
        let fallen = failed.into_iter().map(OperationId);
        let mut fallen: Vec<Live> = fallen.filter_map(|id| self.live.remove(&id)).collect();
        // A dependent may have failed because of another dependent before it.
        fallen.sort_unstable_by_key(|live| live.order);
        for live in fallen {
            self.ended += 1;
            assert!(
                self.falls(&live),
                "an operation failed as a dependent without a cause"
            );
            // Operations behind it in its own lane fail too: because of the same failure, or because of this one.
            let own = self
                .fallen
                .iter()
                .filter(|failed| failed.lane == live.lanes.writes && failed.covers(&live));
            let below = own.map(|failed| failed.below).max();
            self.note_fallen(live, below.unwrap_or(usize::MAX));
        }
    }

    /// Runs a history, and then all operations that are left.
    pub(super) async fn run(mut self, pool: &PgPool, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Accept {
                    client,
                    loan,
                    creates,
                } => self.accept(client, loan, creates).await,
                Step::Claim(count) => drop(self.claim(count).await),
                Step::End { index, how } => self.end(index, how).await,
                Step::Cancel { index } => self.cancel(index).await,
            }
            while self.store.fail_some_dependents().await.unwrap() {}
            self.forget_fallen(pool).await;
        }
        while self.claim(100).await > 0 || !self.claimed.is_empty() {
            while !self.claimed.is_empty() {
                self.end(0, How::Success).await;
            }
        }
        assert_eq!(
            self.ended,
            self.accepted,
            "{} were left behind",
            self.live.len()
        );
        let left = sqlx::query_scalar!("SELECT count(*) FROM lane_entry")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(left, Some(0));
    }
}

fn success() -> Outcome {
    let body = "{}".to_owned();
    let resource_id = ResourceId::Unchanged;
    Outcome::End(End::Succeeded { body, resource_id })
}
