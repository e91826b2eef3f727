//! Document 002: its `curl` request is sent byte for byte, except for host and values. The answer must have the
//! document's keys.

use serde_json::Value;
use sqlx::PgPool;

use super::{Bulk, status::failed};
use crate::support::{TestGateway, fixtures::client_create};

/// The headers of the document's `curl` request in their order, and its body.
const HEADERS: &str = "\
Content-Type: application/json
appIdentifier: lender-app
client_id: lender-id
client_secret: lender-secret
organisationId: lender-org
";
const BODY: &str = r#"
{
  "reference_id": "<string>",
  "filters": {
    "status": [
      "FAILED"
    ],
    "retry_eligible": "YesWithModifications",
    "search": "duplicate"
  },
  "page": 1,
  "limit": 100,
  "include_balances": true
}
"#;

/// The answer that the document shows for its `curl` request.
const ANSWER: &str = r#"{
  "ver": "<string>", "timestamp": "<string>", "txnid": "<string>", "status": "<string>",
  "data": {
    "reference_id": "<string>", "batch_id": "<string>", "batch_status": "<string>",
    "summary": { "total": 123, "ready": 123, "in_progress": 123, "completed": 123, "failed": 123 },
    "metadata": {
      "file_name": "<string>", "submitted_at": "<string>", "last_updated_at": "<string>",
      "progress_percentage": 123,
      "global_config": { "fiDataRangeFrom": "<string>", "fiDataRangeTo": "<string>", "configId": "<string>" }
    },
    "pagination": { "page": 123, "limit": 123, "total": 123, "total_pages": 123, "has_next": true, "has_prev": true },
    "records": [ {} ]
  }
}"#;

/// The document's example of a success.
const SUCCESS: &str = r#"{
  "ver": "<version>", "status": "success", "message": "Bulk status retrieved successfully",
  "data": {
    "reference_id": "<string>", "batch_id": "<uuid>", "batch_status": "READY|IN_PROGRESS|COMPLETED|FAILED",
    "summary": { "total": 100, "ready": 10, "in_progress": 30, "completed": 55, "failed": 5 },
    "metadata": {
      "file_name": "<string|null>", "submitted_at": "<ISO-8601>", "last_updated_at": "<ISO-8601>",
      "progress_percentage": 60,
      "global_config": { "fiDataRangeFrom": "<ISO-8601>", "fiDataRangeTo": "<ISO-8601>", "configId": "<string>" }
    },
    "pagination": { "page": 1, "limit": 100, "total": 100, "total_pages": 1, "has_next": false, "has_prev": false },
    "records": [
      {
        "id": 1, "consent_id": "<uuid-v4>", "status": "READY|IN_PROGRESS|COMPLETED|FAILED",
        "retry_eligible": "Yes|No|YesWithModifications|null", "session_id": "<string|null>",
        "error": { "code": "<string>", "message": "<string>" },
        "account_details": [ ]
      }
    ]
  }
}"#;

/// The document's example of an error.
const NOT_FOUND: &str = r#"{
  "ver": "1.0",
  "timestamp": "2024-11-10T12:00:00Z",
  "txnid": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
  "errorCode": "BatchNotFound",
  "errorMsg": "No batch found with reference_id 'batch-xyz'"
}"#;

/// Sends the document's `curl` request. Returns the status line and the body of the answer.
async fn curl(gateway: &TestGateway, reference_id: &str) -> (String, Value) {
    let body = BODY.replace("<string>", reference_id);
    let headers = HEADERS.replace('\n', "\r\n");
    let host = gateway.address;
    let length = body.len();
    let answer = gateway
        .raw(&format!(
            "POST /bulk/status HTTP/1.1\r\nHost: {host}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n{headers}\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
        .await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.lines().next().expect("a status line");
    (status.to_owned(), serde_json::from_str(body).expect("JSON"))
}

/// The JSON pointers of all keys, in their order. `-` stands for any index.
fn pointers(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        let inner: Vec<(String, &Value)> = match value {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (format!("{at}/{key}"), value))
                .collect(),
            Value::Array(list) => list
                .iter()
                .map(|value| (format!("{at}/-"), value))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for (at, value) in inner {
            found.push(at.clone());
            walk(value, &at, found);
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// Asserts that the answer has all keys of an example, in the order of the example.
fn has_all_of(answer: &Value, example: &str) {
    let example: Value = serde_json::from_str(example).expect("JSON");
    let told = pointers(answer);
    let mut rest = told.iter();
    for pointer in pointers(&example) {
        assert!(
            rest.any(|told| *told == pointer),
            "{pointer} is missing, or in another position: {told:?}"
        );
    }
}

#[sqlx::test]
async fn its_curl_is_answered_with_all_of_its_keys(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule(
        "batch-20251110-001",
        vec![client_create("A"), client_create("B")],
    )
    .await;
    gateway
        .end_next(failed("error.msg.client.duplicate.externalId"))
        .await;

    let (status, answer) = curl(&gateway, "batch-20251110-001").await;

    assert_eq!(status, "HTTP/1.1 200 OK", "{answer}");
    assert_eq!(answer["data"]["pagination"]["total"], 1);
    has_all_of(&answer, ANSWER);
    has_all_of(&answer, SUCCESS);
}

#[sqlx::test]
async fn a_batch_that_is_not_there_is_told_in_its_words(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let (status, mut answer) = curl(&gateway, "batch-xyz").await;
    assert_eq!(status, "HTTP/1.1 404 Not Found");
    let expected: Value = serde_json::from_str(NOT_FOUND).expect("JSON");
    for key in ["timestamp", "txnid"] {
        let told = answer[key].as_str().expect("a text");
        let known = expected[key].as_str().expect("a text");
        assert_eq!(told.len(), known.len(), "{told}");
        answer[key] = expected[key].clone();
    }
    assert_eq!(answer.to_string(), expected.to_string());
}
