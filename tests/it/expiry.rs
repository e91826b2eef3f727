//! When an operation is reported as expired.

use fineract_gateway::domain::{OperationType, TrackingId};
use reqwest::StatusCode;
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway, claim_limits,
    database::eventually_waits_for_lock,
    fixtures::{FUTURE, PAST, expiring, loan_disburse},
    operators::Operator,
};

/// A worker may commit an attempt after `expires_at` if its statement began before that time. So the reported status
/// must depend on the stored row, not on the clock.
#[sqlx::test]
async fn a_transaction_has_expired_once_its_row_says_so(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let status = async |id: &str| gateway.transaction_status(id).await;
    // In each lane, the second operation waits for the first.
    let mut ids = Vec::new();
    for (loan_id, expires_at) in [("L-1", FUTURE), ("L-1", PAST), ("L-2", PAST), ("L-2", PAST)] {
        let body = expiring(loan_disburse(loan_id), expires_at);
        ids.push(gateway.accept(&body).await);
    }
    let held = Operator::of(gateway.address).act(&ids[3], "hold").await;
    assert_eq!(held.status, StatusCode::OK, "{}", held.text);
    let limits = claim_limits(1, OperationType::ALL);
    let claimed = gateway.store.claim(&limits).await.unwrap();
    assert_eq!(claimed[0].tracking_id().to_string(), ids[0]);
    for (id, expected) in ids
        .iter()
        .zip(["processing", "pending", "pending", "on_hold"])
    {
        assert_eq!(status(id).await, expected);
    }

    // An attempt of the third operation is about to be committed. Its transaction has locked the row.
    let third: TrackingId = ids[2].parse().unwrap();
    let claimed = gateway.store.claim(&limits).await.unwrap();
    assert_eq!(claimed[0].id, third.id);
    let mut sending = pool.begin().await.unwrap();
    sqlx::query!(
        "SELECT FROM operation WHERE id = $1 FOR NO KEY UPDATE",
        third.id.0
    )
    .fetch_one(&mut *sending)
    .await
    .unwrap();
    sqlx::query!(
        "INSERT INTO attempt (operation_id, number, key_number, method, path) VALUES ($1, 1, 1, 'POST', '/loans/1')",
        third.id.0
    )
    .execute(&mut *sending)
    .await
    .unwrap();
    let store = gateway.store.clone();
    let sweeping = async { while store.end_expired().await.unwrap() {} };
    let committing = async {
        eventually_waits_for_lock(&pool).await;
        sending.commit().await.unwrap();
    };
    tokio::join!(sweeping, committing);
    let told = [
        "processing",
        "expired",
        // The third operation was sent in time, and continues.
        "sent_to_provider",
        "expired",
    ];
    for (id, expected) in ids.iter().zip(told) {
        assert_eq!(status(id).await, expected);
    }
    let track = Answer::of(gateway.get(&format!("/fineract/track/{}", ids[1]))).await;
    assert_eq!(
        track.json()["error_message"],
        "Not sent: expires_at had passed when its turn came"
    );
}

/// A forgotten lock delays only the operations of the locked lane.
#[sqlx::test]
async fn a_locked_lane_expires_later_than_the_others(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for loan_id in ["L-1", "L-2", "L-3"] {
        gateway
            .accept(&expiring(loan_disburse(loan_id), PAST))
            .await;
    }
    let mut forgotten = pool.begin().await.unwrap();
    sqlx::query!("SELECT key FROM lane WHERE key = 'loan:l-2' FOR UPDATE")
        .fetch_one(&mut *forgotten)
        .await
        .unwrap();
    let states = async || {
        sqlx::query_scalar!("SELECT state FROM operation ORDER BY lane")
            .fetch_all(&pool)
            .await
            .unwrap()
    };
    gateway.store.end_expired().await.unwrap();
    assert_eq!(states().await, ["failed", "ready", "failed"]);
    forgotten.rollback().await.unwrap();
    gateway.store.end_expired().await.unwrap();
    assert_eq!(states().await, ["failed"; 3]);
}
