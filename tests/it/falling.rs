//! What falls with a failure, and what does not; and who ends what.

use std::time::Duration;

use fineract_gateway::{
    domain::{OperationType, ResourceId},
    store::{Claimed, End, Settlement, Verdict},
};
use serde_json::json;
use sqlx::PgPool;

use crate::support::{TestGateway, claim_limits, client_create};

async fn states(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar!("SELECT state FROM operation ORDER BY position")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// The failure was forgotten when it was accepted. That a clock steps back then, and the next one falls,
/// changes nothing for the one that may have been sent by now.
#[sqlx::test]
async fn what_runs_already_does_not_fall_when_a_clock_steps_back(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let update =
        json!({ "status": "CLIENT_UPDATE", "data": { "externalId": "C", "lastname": "Rao" } });
    gateway.accept(&client_create("C")).await;
    let failed = End::Failed {
        body: None,
        message: "refused".to_owned(),
        code: "test".to_owned(),
        fells: true,
    };
    gateway.end_next(failed).await;
    sqlx::query!("UPDATE lane SET failed_at = failed_at - interval '2 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    gateway.accept(&update).await;
    let limits = claim_limits(1, OperationType::ALL);
    let claimed = gateway.store.claim(&limits).await.unwrap().pop().unwrap();

    sqlx::query!("UPDATE lane SET failed_at = now()")
        .execute(&pool)
        .await
        .unwrap();
    gateway.accept(&update).await;
    while gateway.store.fell_some().await.unwrap() {}
    assert_eq!(states(&pool).await, ["failed", "running", "failed"]);
    let settlement = Settlement {
        id: claimed.id,
        attempt: claimed.attempt,
        places: claimed.places,
        reply: None,
        verdict: Verdict::End(End::Succeeded {
            body: "{}".to_owned(),
            resource_id: ResourceId::Unchanged,
        }),
    };
    assert!(gateway.store.settle(settlement).await.unwrap());
    assert_eq!(states(&pool).await, ["failed", "succeeded", "failed"]);
}

#[sqlx::test]
async fn an_attempt_that_lost_its_claim_ends_nothing_beside_the_one_that_has_it(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("C")).await;
    let limits = claim_limits(1, OperationType::ALL);
    let lost = gateway.store.claim(&limits).await.unwrap().pop().unwrap();
    sqlx::query!("UPDATE operation SET due_at = now()")
        .execute(&pool)
        .await
        .unwrap();
    let holding = gateway.store.claim(&limits).await.unwrap().pop().unwrap();
    assert_eq!((lost.attempt, holding.attempt), (1, 2));
    let settle = |claimed: &Claimed, verdict| {
        let settlement = Settlement {
            id: claimed.id,
            attempt: claimed.attempt,
            places: claimed.places.clone(),
            reply: None,
            verdict,
        };
        gateway.store.settle(settlement)
    };
    let end = Verdict::End(End::Succeeded {
        body: "{}".to_owned(),
        resource_id: ResourceId::Unchanged,
    });
    let again = Verdict::Again {
        delay: Duration::ZERO,
        new_key: false,
        why: "test",
    };
    // At once, so in one batch.
    let (of_lost, of_holding) = tokio::join!(settle(&lost, end), settle(&holding, again));
    assert!(!of_lost.unwrap());
    assert!(of_holding.unwrap());
    assert_eq!(states(&pool).await, ["ready"]);
    let left = "SELECT (SELECT count(*) FROM place) - (SELECT count(*) FROM result)";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&pool).await.unwrap();
    assert_eq!(left, 1, "it keeps its place, and has no result");
}
