//! `POST /bulk/status` (document 002).

use fineract_gateway::domain::End;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Bulk, error_of};
use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, done, loan_approve, loan_create},
};

pub(super) fn failed(code: &str) -> End {
    End::Failed {
        body: Some("{}".to_owned()),
        message: "Fineract returned 403".to_owned(),
        code: code.to_owned(),
        fails_dependents: false,
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[sqlx::test]
async fn every_key_of_the_document_is_there_in_its_order(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let mut row = client_create("A");
    row["consent_id"] = json!("consent-1");
    bulk.schedule("batch-20251110-001", vec![row, client_create("B")])
        .await;

    // The request in document 002.
    let request = r#"{
  "reference_id": "batch-20251110-001",
  "filters": {
    "status": ["FAILED", "IN_PROGRESS", "READY"]
  },
  "page": 1,
  "limit": 100,
  "include_balances": false
}"#;
    let answer = Answer::of(bulk.post("status", "application/json", request)).await;

    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!(
        keys(&body),
        ["ver", "timestamp", "txnid", "status", "message", "data"]
    );
    assert_eq!(body["ver"], "1.0");
    assert_eq!(body["status"], "success");
    assert_eq!(body["message"], "Bulk status retrieved successfully");
    assert_eq!(body["txnid"], answer.header("x-request-id"));
    let data = &body["data"];
    assert_eq!(
        keys(data),
        [
            "reference_id",
            "batch_id",
            "batch_status",
            "summary",
            "metadata",
            "pagination",
            "records"
        ]
    );
    assert_eq!(
        keys(&data["summary"]),
        ["total", "ready", "in_progress", "completed", "failed"]
    );
    assert_eq!(
        keys(&data["metadata"]),
        [
            "file_name",
            "submitted_at",
            "last_updated_at",
            "progress_percentage",
            "global_config"
        ]
    );
    assert_eq!(
        data["metadata"]["global_config"],
        json!({"fiDataRangeFrom": null, "fiDataRangeTo": null, "configId": null})
    );
    assert_eq!(
        data["pagination"],
        json!({"page": 1, "limit": 100, "total": 2, "total_pages": 1, "has_next": false, "has_prev": false})
    );
    assert_eq!(
        data["records"][0].to_string(),
        r#"{"id":1,"consent_id":"consent-1","status":"READY","retry_eligible":null,"session_id":null,"error":null}"#
    );
    let uuid = data["records"][1]["consent_id"].as_str().unwrap();
    assert!(uuid::Uuid::try_parse(uuid).is_ok(), "{uuid}");
    let submitted = data["metadata"]["submitted_at"].as_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(submitted).is_ok());
}

#[sqlx::test]
async fn a_batch_of_another_client_or_of_none_is_not_found(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("batch-xyz", vec![client_create("A")]).await;
    for path in ["status", "retry", "cancel"] {
        let answer = bulk
            .other()
            .send(path, &json!({ "reference_id": "batch-xyz" }))
            .await;
        let expected = "No batch found with reference_id 'batch-xyz'".to_owned();
        assert_eq!(
            error_of(&answer),
            (404, "BatchNotFound".to_owned(), expected)
        );
        assert_eq!(
            keys(&answer.json()),
            ["ver", "timestamp", "txnid", "errorCode", "errorMsg"]
        );
    }
}

#[sqlx::test]
async fn rows_and_batches_stand_where_their_operations_do(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule(
        "r",
        (1..=4).map(|n| client_create(&format!("C-{n}"))).collect(),
    )
    .await;
    let at = async || {
        let status = bulk.status(&json!({ "reference_id": "r" })).await;
        let records = status["records"].as_array().unwrap().clone();
        let words: Vec<String> = records
            .iter()
            .map(|record| record["status"].as_str().unwrap().to_owned())
            .collect();
        (
            status["batch_status"].as_str().unwrap().to_owned(),
            status["metadata"]["progress_percentage"].as_i64().unwrap(),
            words.join(" "),
        )
    };
    let stands =
        |batch: &str, percentage: i64, rows: &str| (batch.to_owned(), percentage, rows.to_owned());
    assert_eq!(at().await, stands("READY", 0, "READY READY READY READY"));
    gateway.end_next(done()).await;
    assert_eq!(
        at().await,
        stands("IN_PROGRESS", 25, "COMPLETED READY READY READY")
    );
    gateway
        .end_next(failed("error.msg.client.duplicate.externalId"))
        .await;
    // A claim alone does not change the status of a row; an attempt does.
    sqlx::query!(
        "UPDATE operation SET state = 'running', attempt = 1 WHERE lane IN ('client:c-3', 'client:c-4')"
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(
        at().await,
        stands("IN_PROGRESS", 50, "COMPLETED FAILED READY READY")
    );
    sqlx::query!(
        "INSERT INTO attempt (operation_id, number, key_number, method, path)
         SELECT id, 1, 2, 'POST', '/clients' FROM operation WHERE lane = 'client:c-3'"
    )
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query!(
        "UPDATE operation SET state = 'parked', due_at = NULL, reason_code = 'x', reason_since = now() WHERE lane = 'client:c-4'"
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(
        at().await,
        stands(
            "IN_PROGRESS",
            50,
            "COMPLETED FAILED IN_PROGRESS IN_PROGRESS"
        )
    );
    let status = bulk.status(&json!({ "reference_id": "r" })).await;
    let row = &status["records"][2];
    let session = format!("{}-2", row["consent_id"].as_str().unwrap());
    assert_eq!(row["session_id"], session.as_str());
    assert_eq!(
        status["records"][1]["error"],
        json!({"code": "error.msg.client.duplicate.externalId", "message": "Fineract returned 403"})
    );
    assert_eq!(
        status["records"][1]["retry_eligible"],
        "YesWithModifications"
    );
}

#[sqlx::test]
async fn who_has_read_a_failure_knows_of_it(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("r", vec![loan_create("L", "C")]).await;
    let refused = End::Failed {
        body: Some("{}".to_owned()),
        message: "Fineract returned 403".to_owned(),
        code: "error.msg.loan.x".to_owned(),
        fails_dependents: true,
    };
    gateway.end_next(refused).await;
    let failing_dependents = async || {
        let lane =
            sqlx::query!("SELECT failing_dependents, failure_read FROM lane WHERE key = 'loan:l'")
                .fetch_one(&pool);
        let lane = lane.await.unwrap();
        (lane.failing_dependents, lane.failure_read)
    };
    assert_eq!(failing_dependents().await, (false, false));
    bulk.status(&json!({ "reference_id": "r", "limit": 1 }))
        .await;
    assert_eq!(failing_dependents().await, (false, true));
    bulk.schedule("r2", vec![loan_approve("L")]).await;
    assert_eq!(failing_dependents().await, (false, true));
}
