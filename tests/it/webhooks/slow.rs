//! A receiver that takes nearly the 15 s that it may take.

use std::time::{Duration, Instant};

use fineract_gateway::webhooks::Guard;
use serde_json::json;
use sqlx::PgPool;

use super::{
    Bed,
    receiver::{Receiver, Reply},
};
use crate::support::{
    eventually::eventually,
    fixtures::{client_create, done},
};

/// How long it takes, at least.
const TAKES: Duration = Duration::from_secs(14);

/// How long it may take: longer than a test waits for anything. So the quick receiver cannot have waited for it.
const TIMEOUT: Duration = Duration::from_mins(5);

/// How many deliveries are under way to an endpoint that is slow. They begin in groups, so one place may stay free.
const LEAST_IF_SLOW: usize = 19;
const MOST_IF_SLOW: usize = 20;

#[sqlx::test]
async fn a_receiver_that_takes_14_s_each_time_gets_everything_and_delays_no_other(pool: PgPool) {
    let here = Guard::new(&["127.0.0.0/8".parse().expect("a network")], true);
    let bed = Bed::start_with(&pool, here, TIMEOUT).await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    bed.endpoint(&slow, json!({ "description": "slow" })).await;
    bed.endpoint(&quick, json!({})).await;
    let rounds = [1, MOST_IF_SLOW + 5];
    slow.replies(vec![Reply::Held; rounds.iter().sum()]);
    let mut so_far = 0;
    for count in rounds {
        for number in so_far..so_far + count {
            bed.gateway
                .accept(&client_create(&format!("C-{number}")))
                .await;
            bed.gateway.end_next(done()).await;
        }
        quick.gets(so_far + count).await;
        slow.gets(so_far + count.min(LEAST_IF_SLOW)).await;
        let answers_at = Instant::now() + TAKES;
        eventually("it takes its time", async || Instant::now() >= answers_at).await;
        assert!(slow.got().len() <= so_far + MOST_IF_SLOW);
        so_far += count;
        eventually("all are delivered", async || {
            slow.release_all();
            bed.log("?state=delivered&limit=200").await.len() == 2 * so_far
        })
        .await;
    }
    let log = bed.log("?state=delivered&limit=200").await;
    let took = |delivery: &&serde_json::Value| delivery["took_ms"].as_u64() >= Some(14_000);
    assert!(log.iter().filter(took).count() > LEAST_IF_SLOW, "{log:?}");
    assert!(
        log.iter()
            .all(|delivery| delivery["tries"] == 1 && delivery["error"].is_null())
    );
}
