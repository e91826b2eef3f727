//! `POST /bulk/retry` of operations that were cancelled or have expired.

use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use super::{
    Bulk, errors_of,
    retry::{codes, failed},
};
use crate::support::{
    Answer, OPS_TOKEN, TestGateway,
    database::is_true,
    fixtures::{client_create, client_update, loan_approve, loan_disburse},
    operators::REASON,
};

/// A retry sends an operation that an operator cancelled, or a dependent of it, only if the retry names its row.
#[sqlx::test]
async fn what_an_operator_cancelled_is_only_sent_again_when_it_is_named(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let update = json!({ "status": "LOAN_UPDATE", "data": { "externalId": "L", "principal": 5 } });
    bulk.schedule(
        "r",
        vec![
            update,
            loan_approve("L"),
            loan_disburse("L"),
            client_create("C"),
        ],
    )
    .await;
    let page = bulk.status(&json!({ "reference_id": "r" })).await;
    let id = page["records"][0]["consent_id"].as_str().unwrap();
    let request = gateway.request(Method::POST, &format!("/fineract/operations/{id}/cancel"));
    let request = request.json(&json!({ "reason": REASON }));
    let cancelled = Answer::of(request.header("X-Internal-Token", OPS_TOKEN)).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    while gateway.store.fail_some_dependents().await.unwrap() {}
    gateway.end_next(failed("status_500", true)).await;

    let answer = bulk.send("retry", &json!({ "reference_id": "r" })).await;
    let body = answer.json();
    assert_eq!(body["taken"], json!([4]), "{body}");
    assert_eq!(codes(&body), [1, 2, 3].map(|row| (row, "needs_naming")));
    let records = bulk.status(&json!({ "reference_id": "r" })).await["records"].take();
    let told: Vec<_> = records.as_array().unwrap()[..3]
        .iter()
        .map(|record| {
            (
                record["error"]["code"].as_str().unwrap(),
                record["retry_eligible"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("cancelled", "Yes"),
            ("behind_stopped", "Yes"),
            ("behind_stopped", "Yes")
        ]
    );
    let named = json!({ "reference_id": "r", "records": [2, 3] });
    assert_eq!(
        bulk.send("retry", &named).await.json()["taken"],
        json!([2, 3])
    );
}

/// A retry keeps the `expires_at` of the row. If that time has passed, the retry must contain a new one.
#[sqlx::test]
async fn a_retry_keeps_its_deadline(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule(
        "r",
        (1..=4).map(|n| client_create(&format!("C-{n}"))).collect(),
    )
    .await;
    for _ in 1..=4 {
        gateway.end_next(failed("status_500", false)).await;
    }
    let deadline = async |row: i32, to: Option<&str>| {
        let moved = sqlx::query!(
            "UPDATE operation o SET expires_at = COALESCE($2::text::timestamptz, o.expires_at)
               FROM batch_row r
              WHERE r.operation_id = o.id AND r.number = $1
          RETURNING o.expires_at",
            row,
            to
        );
        moved.fetch_one(&pool).await.unwrap().expires_at
    };
    // A trigger refuses changes of ended operations. The test switches it off to set `expires_at`.
    sqlx::raw_sql("ALTER TABLE operation DISABLE TRIGGER operation_end_is_final")
        .execute(&pool)
        .await
        .unwrap();
    let future = deadline(1, Some("2099-01-01T00:00:00Z")).await;
    for row in [2, 3, 4] {
        deadline(row, Some("2020-01-01T00:00:00Z")).await;
    }
    let first = json!({ "reference_id": "r", "records": [1, 2],
        "modifications": [{"id": 3, "data": client_create("C-3")["data"], "expires_at": "2098-01-01T00:00:00Z"}] });
    let body = bulk.send("retry", &first).await.json();
    assert_eq!(body["taken"], json!([1, 3]), "{body}");
    assert_eq!(codes(&body), [(2, "needs_expires_at")]);
    assert_eq!(deadline(1, None).await, future);
    let third = deadline(3, None).await.unwrap();
    assert_eq!(third.to_rfc3339(), "2098-01-01T00:00:00+00:00");
    let second =
        json!({ "reference_id": "r", "records": [2], "expires_at": "2097-01-01T05:30:00+05:30" });
    assert_eq!(
        bulk.send("retry", &second).await.json()["taken"],
        json!([2])
    );
    let second = deadline(2, None).await.unwrap();
    assert_eq!(second.to_rfc3339(), "2097-01-01T00:00:00+00:00");
    let table = "id,firstname,lastname,externalId,activationDate,expires_at\n4,A,B,C-4,01 January 2026,soon\n";
    let answer = Answer::of(bulk.post("retry?reference_id=r", "text/csv", table)).await;
    assert_eq!(
        errors_of(&answer),
        [(Some(1), "/expires_at".to_owned(), "invalid_time".to_owned())]
    );
    let table = table.replace("soon", "2096-01-01T00:00:00Z");
    let answer = Answer::of(bulk.post("retry?reference_id=r", "text/csv", table)).await;
    assert_eq!(answer.json()["taken"], json!([4]), "{}", answer.text);
    let fourth = deadline(4, None).await.unwrap();
    assert_eq!(fourth.to_rfc3339(), "2096-01-01T00:00:00+00:00");
}

/// The update needs a correction, so a retry of all failed rows does not send it again. Its dependent, the
/// disbursement, is not sent either: otherwise the gateway would disburse a loan whose application was never changed.
#[sqlx::test]
async fn what_fell_with_a_row_that_is_not_sent_again_is_not_sent_again_by_itself(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let update = json!({ "status": "LOAN_UPDATE", "data": { "externalId": "L", "principal": 5 } });
    bulk.schedule("r", vec![update, loan_disburse("L")]).await;
    gateway
        .end_next(failed("validation.msg.loan.principal.not.valid", true))
        .await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    let body = bulk
        .send("retry", &json!({ "reference_id": "r" }))
        .await
        .json();
    assert_eq!(codes(&body)[0], (1, "needs_modification"), "{body}");
    assert_eq!(body["taken"], json!([]), "{body}");
}

/// The client cannot release what an operator has put on hold.
#[sqlx::test]
async fn what_was_on_hold_stays_on_hold_when_its_client_retries_it(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("r", vec![client_create("C"), client_update("C")])
        .await;
    sqlx::query!("UPDATE operation SET on_hold = true WHERE type = 'CLIENT_UPDATE'")
        .execute(&pool)
        .await
        .unwrap();
    gateway.end_next(failed("status_500", true)).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    let answer = bulk.send("retry", &json!({ "reference_id": "r" })).await;
    assert_eq!(answer.json()["taken"], json!([1, 2]), "{}", answer.text);
    let is_kept =
        "SELECT count(*) = 2 AND bool_and(on_hold = (type = 'CLIENT_UPDATE')) FROM operation
                    WHERE ended_at IS NULL";
    assert!(is_true(&pool, is_kept).await);
}
