//! Lanes and readiness: whatever ends in whatever order, nothing runs early and nothing stays behind.

use std::{collections::HashMap, time::Duration};

use fineract_gateway::{
    domain::{Checked, Lane, LaneAccess, OperationId, OperationType, ResourceId},
    store::{Accepted, Claimed, End, Ends, NewOperation, Operator, Settlement, Store, Verdict},
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use serde_json::value::RawValue;
use sqlx::PgPool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::claim_limits;

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// Accept an operation that writes this loan's or this client's lane, and may read that client's.
    Accept { client: u8, loan: Option<u8> },
    /// Claim so many.
    Claim(i64),
    /// End the n-th of what is claimed.
    End { index: usize, how: How },
    /// Cancel the n-th of what is not claimed.
    Cancel { index: usize },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Success,
    Failure,
    FailureThatFells,
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..2_u8, proptest::option::weighted(0.75, 0..3_u8))
            .prop_map(|(client, loan)| Step::Accept { client, loan }),
        2 => (1..6_i64).prop_map(Step::Claim),
        5 => (any::<usize>(), prop_oneof![
            6 => Just(How::Success),
            2 => Just(How::Failure),
            1 => Just(How::FailureThatFells),
            2 => Just(How::Again),
        ]).prop_map(|(index, how)| Step::End { index, how }),
        1 => any::<usize>().prop_map(|index| Step::Cancel { index }),
    ]
}

/// An accepted operation that has not been seen to end.
struct Live {
    order: usize,
    lanes: LaneAccess,
}

struct Model {
    store: Store,
    live: HashMap<OperationId, Live>,
    claimed: Vec<Claimed>,
    /// Where an operation has failed on which the later ones rest.
    fallen: Vec<(Lane, usize)>,
    accepted: usize,
    ended: usize,
}

impl Model {
    async fn accept(&mut self, client: u8, loan: Option<u8>) {
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
        let accepted = self
            .store
            .accept(NewOperation {
                id,
                operation_type: OperationType::LoanUpdate,
                payload: RawValue::from_string("{}".to_owned()).unwrap(),
                checked,
                caller: "test".to_owned(),
                caller_key: None,
                retry_of: None,
                expires_at: None,
            })
            .await
            .unwrap();
        assert_eq!(accepted, Accepted::New);
        let order = self.accepted;
        self.live.insert(id, Live { order, lanes });
        self.accepted += 1;
    }

    async fn claim(&mut self, count: i64) -> usize {
        let limits = claim_limits(count, &[OperationType::LoanUpdate]);
        let claimed = self.store.claim(&limits).await.unwrap();
        for operation in &claimed {
            self.check_its_turn(operation.id);
        }
        let count = claimed.len();
        self.claimed.extend(claimed);
        count
    }

    fn falls(&self, live: &Live) -> bool {
        self.fallen.iter().any(|(lane, order)| {
            live.order > *order
                && (*lane == live.lanes.writes || Some(lane) == live.lanes.reads.as_ref())
        })
    }

    fn check_its_turn(&self, id: OperationId) {
        let claimed = &self.live[&id];
        assert!(!self.falls(claimed), "it should have fallen");
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
        let verdict = match how {
            How::Success => success(),
            How::Failure | How::FailureThatFells => Verdict::End(End::Failed {
                body: None,
                message: "refused".to_owned(),
                code: "test".to_owned(),
                fells: how == How::FailureThatFells,
            }),
            How::Again => Verdict::Again {
                delay: Duration::ZERO,
                new_key: false,
                why: "test",
            },
        };
        let settled = self
            .store
            .settle(Settlement {
                id: claimed.id,
                attempt: claimed.attempt,
                places: claimed.places,
                reply: None,
                verdict,
            })
            .await
            .unwrap();
        assert!(settled, "the claim was held");
        if how == How::Again {
            return;
        }
        self.ended += 1;
        let live = self.live.remove(&claimed.id).unwrap();
        if how == How::FailureThatFells {
            self.fallen.push((live.lanes.writes, live.order));
            while self.store.fell_some().await.unwrap() {}
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
        let operator = Operator { name, request_id };
        self.store.cancel(&found, &operator).await.unwrap();
        self.ended += 1;
        let live = self.live.remove(&id).unwrap();
        self.fallen.push((live.lanes.writes, live.order));
    }

    /// Operations the store has ended by itself are no longer in anybody's way.
    async fn forget_fallen(&mut self, pool: &PgPool) {
        let failed =
            sqlx::query_scalar!("SELECT operation_id FROM result WHERE code = 'behind_failed'")
                .fetch_all(pool)
                .await
                .unwrap();
        let fallen = failed.into_iter().map(OperationId);
        let mut fallen: Vec<Live> = fallen.filter_map(|id| self.live.remove(&id)).collect();
        // One falls with another that fell before it.
        fallen.sort_unstable_by_key(|live| live.order);
        for live in fallen {
            self.ended += 1;
            assert!(self.falls(&live), "fell without a cause");
            // It is of a type whose failure fells: those behind it in its own lane fall too.
            self.fallen.push((live.lanes.writes, live.order));
        }
    }

    async fn run(mut self, pool: &PgPool, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Accept { client, loan } => self.accept(client, loan).await,
                Step::Claim(count) => drop(self.claim(count).await),
                Step::End { index, how } => self.end(index, how).await,
                Step::Cancel { index } => self.cancel(index).await,
            }
            while self.store.fell_some().await.unwrap() {}
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
        let left = sqlx::query_scalar!("SELECT count(*) FROM place")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(left, Some(0));
    }
}

#[sqlx::test]
#[expect(clippy::print_stdout, reason = "shown when the test fails")]
async fn nothing_runs_early_and_nothing_stays_behind(pool: PgPool) {
    let tasks = TaskTracker::new();
    let ends = Ends::start(&pool, &tasks, &CancellationToken::new());
    let store = Store::start(
        pool.clone(),
        ends,
        &tasks,
        fineract_gateway::operations::fells_unsent,
    );
    let mut runner = TestRunner::new(Config::default());
    let histories = proptest::collection::vec(step(), 1..60);
    for _ in 0..60 {
        let steps = histories.new_tree(&mut runner).unwrap().current();
        sqlx::raw_sql("TRUNCATE lane, operation, place, payload, result, attempt")
            .execute(&pool)
            .await
            .unwrap();
        let model = Model {
            store: store.clone(),
            live: HashMap::new(),
            claimed: vec![],
            fallen: vec![],
            accepted: 0,
            ended: 0,
        };
        println!("{steps:?}");
        model.run(&pool, steps).await;
    }
}

fn success() -> Verdict {
    let body = "{}".to_owned();
    let resource_id = ResourceId::Unchanged;
    Verdict::End(End::Succeeded { body, resource_id })
}
