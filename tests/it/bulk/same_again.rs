//! The gateway recognizes a batch that is sent again by its content, even if other things have changed since.

use fineract_gateway::http::{Bulk as BulkRoutes, BulkClients};
use serde_json::json;
use sqlx::PgPool;

use super::{Bulk, error_of};
use crate::support::{Answer, TestGateway, fixtures::client_create};

async fn assert_replayed(bulk: &Bulk, path: &str, media_type: &str, body: &str) {
    let again = Answer::of(bulk.post(path, media_type, body.to_owned())).await;
    assert_eq!(again.status, 200, "{body}: {}", again.text);
    assert_eq!(again.header("idempotency-replayed"), "true");
}

async fn assert_reused(bulk: &Bulk, path: &str, media_type: &str, body: &str) {
    let answer = Answer::of(bulk.post(path, media_type, body.to_owned())).await;
    let (status, code, _) = error_of(&answer);
    assert_eq!(
        (status, code.as_str()),
        (409, "ReferenceIdReused"),
        "{body}"
    );
}

const JSON: &str = "application/json";
const ROW: &str = r#"{"status":"LOAN_DISBURSE","data":{"external_loan_id":"L","transactionAmount":100000.10,"actualDisbursementDate":"11 January 2026"}}"#;
const SAME_ROW: &str = r#"{"data": {"transactionAmount": 1000001e-1, "external_loan_id": "\u004c", "actualDisbursementDate": "11 January 2026"}, "status": "LOAN_DISBURSE"}"#;

#[sqlx::test]
async fn the_same_value_is_the_same_batch(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let body = format!(r#"{{"reference_id":"r","file_name":null,"operations":[{ROW},{ROW}]}}"#);
    let same =
        format!(r#"{{"operations": [{SAME_ROW}, {ROW}], "file_name": null, "reference_id": "r"}}"#);
    let first = Answer::of(bulk.post("schedule", JSON, body.clone())).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_replayed(&bulk, "schedule", JSON, &body).await;
    assert_replayed(&bulk, "schedule", JSON, &same).await;
    for other in [
        format!(r#"{{"reference_id":"r","operations":[{ROW},{ROW}]}}"#),
        format!(r#"{{"reference_id":"r","file_name":null,"operations":[{ROW}]}}"#),
        format!(
            r#"{{"reference_id":"r","file_name":null,"operations":[{ROW},{ROW}],"operations":[]}}"#
        ),
        body.replacen("100000.10", "100000.11", 1),
        body.replacen(r#""status""#, r#""status":"LOAN_DISBURSE","status""#, 1),
    ] {
        assert_reused(&bulk, "schedule", JSON, &other).await;
    }
    // An older gateway stored no `value_digest`.
    sqlx::query!("UPDATE batch SET value_digest = NULL")
        .execute(&pool)
        .await
        .unwrap();
    assert_replayed(&bulk, "schedule", JSON, &body).await;
    assert_reused(&bulk, "schedule", JSON, &same).await;
}

#[sqlx::test]
async fn lines_are_compared_by_their_values_and_tables_by_their_bytes(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let (path, lines) = ("schedule?reference_id=lines", "application/x-ndjson");
    let first = Answer::of(bulk.post(path, lines, format!("{ROW}\n{ROW}\n"))).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_replayed(&bulk, path, lines, &format!("\r\n{SAME_ROW}\r\n\r\n{ROW}")).await;
    assert_reused(&bulk, path, lines, ROW).await;
    assert_reused(&bulk, path, lines, &format!("{ROW}\n{ROW}\n{{")).await;

    let (path, csv) = ("schedule?reference_id=table", "text/csv");
    let table = "status,external_loan_id,transactionAmount,actualDisbursementDate\nLOAN_DISBURSE,L,1.0,11 January 2026\n";
    let first = Answer::of(bulk.post(path, csv, table)).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_replayed(&bulk, path, csv, table).await;
    assert_reused(&bulk, path, csv, &table.replace('\n', "\r\n")).await;
}

#[sqlx::test]
async fn a_reference_is_looked_up_before_an_upload_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let three = [client_create("A"), client_create("B"), client_create("C")];
    // The `reference_id` comes after the rows.
    let body = json!({ "operations": three, "reference_id": "r" }).to_string();
    let first = Answer::of(bulk.post("schedule", JSON, body.clone())).await;
    assert_eq!(first.status, 202, "{}", first.text);

    let smaller = TestGateway::start_with(pool.clone(), |state| {
        state.bulk = BulkRoutes::new(BulkClients::new(&super::clients()), 2, None);
    })
    .await;
    let full = TestGateway::start_with(pool, |state| state.max_waiting = 0).await;
    for gateway in [&smaller, &full] {
        let bulk = Bulk::new(gateway.address);
        assert_replayed(&bulk, "schedule", JSON, &body).await;
        let invalid = body.replacen("Jayesh", " ", 1);
        assert_reused(&bulk, "schedule", JSON, &invalid).await;
    }
    let bulk = Bulk::new(smaller.address);
    let new = body.replace(r#":"r""#, r#":"s""#);
    let (status, code, _) = error_of(&Answer::of(bulk.post("schedule", JSON, new)).await);
    assert_eq!((status, code.as_str()), (413, "TooManyRows"));
}
