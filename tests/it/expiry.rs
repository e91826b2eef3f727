//! When an operation is told to have expired.

use std::time::{Duration, Instant};

use fineract_gateway::domain::{OperationType, TrackingId};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::support::{
    API_KEY, Answer, TestGateway, claim_limits, operators::Operator, steps::disburse,
};

const PAST: &str = "2020-01-01T05:30:00+05:30";
const FUTURE: &str = "2099-01-01T00:00:00Z";

/// An attempt may be about to be committed whose statement began before the deadline: what is told must
/// be what the row says.
#[sqlx::test]
async fn a_transaction_has_expired_once_its_row_says_so(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let status = async |id: &str| {
        let request = gateway.request(reqwest::Method::GET, &format!("/transactions/{id}"));
        let request = request.header("Authorization", format!("Token {API_KEY}"));
        Answer::of(request).await.json()["status"].clone()
    };
    // The second of each lane waits for the first.
    let mut ids = Vec::new();
    for (loan_id, expires_at) in [("L-1", FUTURE), ("L-1", PAST), ("L-2", PAST), ("L-2", PAST)] {
        let body = json!({ "status": "LOAN_DISBURSE", "data": disburse(loan_id), "expires_at": expires_at });
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

    // An attempt of the third is about to be committed: it holds the row.
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
        until_a_lock_is_waited_for(&pool).await;
        sending.commit().await.unwrap();
    };
    tokio::join!(sweeping, committing);
    let told = [
        "processing",
        "expired",
        // It was sent in time, and goes on.
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

/// Waits until some statement in this database waits for a lock.
async fn until_a_lock_is_waited_for(pool: &PgPool) {
    let started = Instant::now();
    loop {
        let waits = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM pg_stat_activity
                               WHERE datname = current_database() AND wait_event_type = 'Lock') AS "waits!""#
        );
        if waits.fetch_one(pool).await.unwrap() {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "nothing waits for a lock"
        );
    }
}

/// A lock that somebody forgot holds up what stands there, and nothing else.
#[sqlx::test]
async fn a_locked_lane_expires_later_than_the_others(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for loan_id in ["L-1", "L-2", "L-3"] {
        let body =
            json!({ "status": "LOAN_DISBURSE", "data": disburse(loan_id), "expires_at": PAST });
        gateway.accept(&body).await;
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
