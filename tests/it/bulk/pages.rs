//! Which rows `POST /bulk/status` returns.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Bulk, error_of, errors_of, status::failed};
use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, done},
};

#[sqlx::test]
async fn filters_and_pages_change_the_records_and_never_the_summary(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let mut rows: Vec<Value> = (1..=7)
        .map(|n| client_create(&format!("Cust_{n}")))
        .collect();
    rows[6]["data"]["externalId"] = json!("CAFÉ-7");
    rows[4]["consent_id"] = json!("My-Consent");
    bulk.schedule("r", rows).await;
    for end in [
        done(),
        failed("error.msg.client.duplicate.externalId"),
        failed("status_500"),
        failed("done_by_another"),
    ] {
        gateway.end_next(end).await;
    }
    let all = bulk.status(&json!({ "reference_id": "r" })).await;
    let uuid = all["records"][5]["consent_id"].as_str().unwrap().to_owned();
    let tracking_id = format!("client_create|{uuid}").to_uppercase();
    for (query, total, expected) in [
        (json!({}), 7, vec![1, 2, 3, 4, 5, 6, 7]),
        (json!({"limit": 3}), 7, vec![1, 2, 3]),
        (json!({"limit": 3.0, "page": 3.0}), 7, vec![7]),
        (json!({"limit": 3, "page": 4}), 7, vec![]),
        (json!({"filters": {"status": ["FAILED"]}}), 3, vec![2, 3, 4]),
        (
            json!({"filters": {"status": ["FAILED"]}, "limit": 2, "page": 2}),
            3,
            vec![4],
        ),
        (
            json!({"filters": {"status": ["COMPLETED", "READY"]}}),
            4,
            vec![1, 5, 6, 7],
        ),
        (
            json!({"filters": {"status": []}}),
            7,
            vec![1, 2, 3, 4, 5, 6, 7],
        ),
        (json!({"filters": {"retry_eligible": "Yes"}}), 1, vec![3]),
        (json!({"filters": {"retry_eligible": "No"}}), 1, vec![4]),
        (
            json!({"filters": {"retry_eligible": "YesWithModifications"}}),
            1,
            vec![2],
        ),
        (
            json!({"filters": {"retry_eligible": "No", "status": ["COMPLETED"]}}),
            0,
            vec![],
        ),
        (json!({"filters": {"search": "my-consent"}}), 1, vec![5]),
        (json!({"filters": {"search": "cust_3"}}), 1, vec![3]),
        (json!({"filters": {"search": "café"}}), 1, vec![7]),
        (json!({"filters": {"search": tracking_id}}), 1, vec![6]),
        (json!({"filters": {"search": "DUPLICATE"}}), 1, vec![2]),
        (
            json!({"filters": {"search": "returned 403", "status": ["FAILED"], "retry_eligible": "Yes"}}),
            1,
            vec![3],
        ),
        (json!({"filters": {"search": "%"}}), 0, vec![]),
        (json!({"filters": {"search": "client:"}}), 0, vec![]),
        (json!({"filters": {"search": "Badgujar"}}), 0, vec![]),
        (
            json!({"filters": {"search": ""}}),
            7,
            vec![1, 2, 3, 4, 5, 6, 7],
        ),
    ] {
        let mut request = query.clone();
        request["reference_id"] = json!("r");
        let status = bulk.status(&request).await;
        let records = status["records"].as_array().unwrap();
        let found: Vec<_> = records
            .iter()
            .map(|record| record["id"].as_i64().unwrap())
            .collect();
        assert_eq!(found, expected, "{query}");
        assert_eq!(status["pagination"]["total"], total, "{query}");
        assert_eq!(status["summary"], all["summary"], "{query}");
    }
    let page = bulk
        .status(&json!({ "reference_id": "r", "limit": 3, "page": 2 }))
        .await;
    assert_eq!(
        page["pagination"],
        json!({"page": 2, "limit": 3, "total": 7, "total_pages": 3, "has_next": true, "has_prev": true})
    );
}

#[sqlx::test]
async fn a_query_that_is_not_one_is_told_all_that_is_wrong(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("r", vec![client_create("A")]).await;
    for (query, expected) in [
        (json!({}), vec!["/reference_id"]),
        (
            json!({"reference_id": 7, "page": 0, "limit": 1001}),
            vec!["/reference_id", "/page", "/limit"],
        ),
        (
            json!({"reference_id": "r", "page": -1, "limit": 1.5}),
            vec!["/page", "/limit"],
        ),
        (
            json!({"reference_id": "r", "limit": 0, "include_balances": "yes"}),
            vec!["/limit", "/include_balances"],
        ),
        (
            json!({"reference_id": "r", "filters": []}),
            vec!["/filters"],
        ),
        (
            json!({"reference_id": "r", "filters": {"state": "x"}}),
            vec!["/filters"],
        ),
        (
            json!({"reference_id": "r", "filters": {"status": ["failed"], "retry_eligible": "yes"}, "pages": 1}),
            vec!["/filters/status", "/filters/retry_eligible", "/pages"],
        ),
    ] {
        let answer = bulk.send("status", &query).await;
        let pointers: Vec<_> = errors_of(&answer)
            .into_iter()
            .map(|(_, pointer, _)| pointer)
            .collect();
        assert_eq!(pointers, expected, "{query}");
    }
    let (status, code, _) =
        error_of(&Answer::of(bulk.post("status", "application/json", "{")).await);
    assert_eq!((status, code.as_str()), (400, "BrokenJson"));
}
