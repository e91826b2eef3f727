//! The `expires_at` of rows, and Fineract's messages for failed rows.

use chrono::{DateTime, Utc};
use fineract_gateway::domain::End;
use serde_json::json;
use sqlx::PgPool;

use super::{Bulk, errors_of, retry::codes};
use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, expiring, loan_approve, loan_create},
};

const TIME: &str = "2099-01-01T05:30:00+05:30";

/// The `expires_at` of the operations of a batch, in the order of the rows.
async fn deadlines(pool: &PgPool, reference_id: &str) -> Vec<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"SELECT o.expires_at
             FROM batch b JOIN batch_row r ON r.batch_id = b.id JOIN operation o ON o.id = r.operation_id
            WHERE b.reference_id = $1
            ORDER BY r.number"#,
        reference_id
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[sqlx::test]
async fn a_row_may_have_a_deadline_however_it_is_written(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let deadline = DateTime::parse_from_rfc3339(TIME).unwrap().to_utc();
    let until = |id: &str| expiring(client_create(id), TIME);
    let mut never = client_create("N");
    never["expires_at"] = json!(null);
    bulk.schedule("json", vec![until("A"), client_create("B"), never])
        .await;
    assert_eq!(deadlines(&pool, "json").await, [Some(deadline), None, None]);

    let lines = format!("{}\n{}\n", until("C"), client_create("D"));
    let lines = bulk.post("schedule?reference_id=lines", "application/x-ndjson", lines);
    assert_eq!(Answer::of(lines).await.status, 202);
    assert_eq!(deadlines(&pool, "lines").await, [Some(deadline), None]);

    let table =
        format!("status,external_loan_id,expires_at\nLOAN_DELETE,L,{TIME}\nLOAN_DELETE,M,\n");
    let table = bulk.post("schedule?reference_id=csv", "text/csv", table);
    assert_eq!(Answer::of(table).await.status, 202);
    assert_eq!(deadlines(&pool, "csv").await, [Some(deadline), None]);

    let wrong = (Some(1), "/expires_at".to_owned(), "invalid_time".to_owned());
    for time in [json!("soon"), json!(7), json!("2099-01-01T05:30:00")] {
        let mut row = client_create("E");
        row["expires_at"] = time;
        let body = json!({ "reference_id": "r", "operations": [row] });
        assert_eq!(
            errors_of(&bulk.send("schedule", &body).await),
            std::slice::from_ref(&wrong)
        );
    }
    let table = "status,external_loan_id,expires_at\nLOAN_DELETE,L,soon\n";
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table)).await;
    assert_eq!(errors_of(&answer), [wrong]);
}

/// A row that was refused at acceptance keeps its `expires_at`, which applies when the row is sent again.
#[sqlx::test]
async fn a_refused_row_keeps_its_deadline(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let mut wrong = loan_create("L", "C");
    wrong["data"]["principal"] = json!(-1);
    let mut behind = loan_approve("L");
    behind["expires_at"] = json!(TIME);
    let mut too_late = loan_approve("L");
    too_late["expires_at"] = json!("2020-01-01T00:00:00Z");
    let body =
        json!({ "reference_id": "r", "accept": "valid", "operations": [wrong, behind, too_late] });
    assert_eq!(bulk.send("schedule", &body).await.status, 202);
    let retry = json!({ "reference_id": "r" });
    let answer = bulk.send("retry", &retry).await.json();
    assert_eq!(answer["taken"], json!([2]), "{answer}");
    assert_eq!(
        codes(&answer),
        [(1, "needs_modification"), (3, "needs_expires_at")]
    );
    let deadline = DateTime::parse_from_rfc3339(TIME).unwrap().to_utc();
    assert_eq!(deadlines(&pool, "r").await, [Some(deadline)]);
}

#[sqlx::test]
async fn a_row_that_failed_says_what_fineract_said(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let envelope = |errors: &str| {
        format!(
            r#"{{"httpStatusCode":"403","defaultUserMessage":"Errors contain reason for domain rule violation.","errors":[{errors}]}}"#
        )
    };
    let item =
        |text: &str| format!(r#"{{"parameterName":"id","defaultUserMessage":"{text}","args":[]}}"#);
    let bodies = [
        (
            envelope(&item(r"Client with mobileNo \u0060099\u0060 exists")),
            "Fineract returned 403: Client with mobileNo `099` exists",
        ),
        (
            envelope(&format!("{},{}", item("One."), item("Two."))),
            "Fineract returned 403: One. Two.",
        ),
        (
            envelope(""),
            "Fineract returned 403: Errors contain reason for domain rule violation.",
        ),
        (
            r#"{"defaultUserMessage":"Loan is locked."}"#.to_owned(),
            "Fineract returned 403: Loan is locked.",
        ),
        (envelope(&item(r"\u0000")), "Fineract returned 403"),
        ("{}".to_owned(), "Fineract returned 403"),
        ("[1]".to_owned(), "Fineract returned 403"),
        ("<html>".to_owned(), "Fineract returned 403"),
    ];
    let rows = (0..bodies.len()).map(|n| client_create(&format!("C-{n}")));
    bulk.schedule("r", rows.collect()).await;
    for (body, _) in &bodies {
        let end = End::Failed {
            body: Some(body.clone()),
            message: "Fineract returned 403".to_owned(),
            code: "error.msg.x".to_owned(),
            fails_dependents: false,
        };
        gateway.end_next(end).await;
    }
    let status = bulk.status(&json!({ "reference_id": "r" })).await;
    let records = status["records"].as_array().unwrap().iter();
    let mut found: Vec<_> = records
        .map(|record| record["error"]["message"].as_str().unwrap())
        .collect();
    let mut expected: Vec<_> = bodies.iter().map(|(_, message)| *message).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    // The filter `search` finds these messages.
    let query = json!({ "reference_id": "r", "filters": { "search": "mobileno `099`" } });
    assert_eq!(bulk.status(&query).await["pagination"]["total"], 1);
}
