//! What falls with a failure, and what does not.

use fineract_gateway::{
    domain::{OperationType, ResourceId},
    store::{End, Settlement, Verdict},
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
