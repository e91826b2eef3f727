//! Lanes with random histories: no operation runs too early, and none is left behind.

mod model;

use fineract_gateway::store::{CompletionNotifier, Pool, Store};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use sqlx::PgPool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::model::Model;

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// Accept an operation that writes the lane of this loan, or of this client if there is no loan. With a loan, it
    /// reads the lane of the client. It may be a create.
    Accept {
        client: u8,
        loan: Option<u8>,
        creates: bool,
    },
    /// Claim up to this many operations.
    Claim(i64),
    /// End the n-th claimed operation.
    End { index: usize, how: How },
    /// Cancel the n-th operation that is not claimed.
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
        5 => (0..2_u8, proptest::option::weighted(0.75, 0..3_u8), proptest::bool::weighted(0.2))
            .prop_map(|(client, loan, creates)| Step::Accept { client, loan, creates }),
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

#[sqlx::test]
#[expect(clippy::print_stdout, reason = "shown when the test fails")]
async fn nothing_runs_early_and_nothing_stays_behind(pool: PgPool) {
    let tasks = TaskTracker::new();
    let queue = Pool::from(pool.clone());
    let notifier = CompletionNotifier::start(&queue, &tasks, &CancellationToken::new());
    let store = Store::start(
        queue,
        notifier,
        &tasks,
        fineract_gateway::operations::fails_dependents_unsent,
    );
    let mut runner = TestRunner::new(Config::default());
    let histories = proptest::collection::vec(step(), 1..60);
    for _ in 0..120 {
        let steps = histories.new_tree(&mut runner).unwrap().current();
        sqlx::raw_sql(
            "TRUNCATE lane, lane_failure, operation, lane_entry, payload, result, attempt",
        )
        .execute(&pool)
        .await
        .unwrap();
        let model = Model::new(store.clone());
        println!("{steps:?}");
        model.run(&pool, steps).await;
    }
}
