//! Tables with the mistakes that people make.

use serde_json::json;
use sqlx::PgPool;

use super::{Bulk, error_of};
use crate::support::{Answer, TestGateway};

const HEADER: &str =
    "status,external_loan_id,transactionDate,transactionAmount,utr_payment_id,note";

/// Row, line, pointer and code of each error.
pub(super) fn told(answer: &Answer) -> Vec<(Option<i64>, Option<i64>, String, String)> {
    assert_eq!(error_of(answer).0, 422, "{}", answer.text);
    let body = answer.json();
    let errors = body["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            let text = |key: &str| error[key].as_str().unwrap().to_owned();
            (
                error["row"].as_i64(),
                error["line"].as_i64(),
                text("pointer"),
                text("code"),
            )
        })
        .collect()
}

pub(super) fn message_of(answer: &Answer, error: usize) -> String {
    answer.json()["errors"][error]["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn operations(pool: &PgPool) -> i64 {
    sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM operation"#)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[sqlx::test]
async fn a_quote_swallows_no_row(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let row =
        |loan: &str, note: &str| format!("LOAN_REPAYMENT,{loan},11 January 2026,1.50,,{note}\r\n");
    let good = row("L-1", "\"two\r\nlines\"");
    for (name, broken, says) in [
        ("unclosed", "\"2nd branch", "a quote that is never closed"),
        (
            "closed by the next",
            "\"2nd\" branch",
            "text after the quote",
        ),
        ("inside", "2\" pipe", "a quote inside a cell"),
        ("behind a blank", " \"2nd branch\"", "a quote inside a cell"),
        ("mac", "x\ry", "a carriage return without a line feed"),
    ] {
        let table = format!(
            "{HEADER}\r\n{good}{}{}{}",
            row("L-2", broken),
            row("L-3", ""),
            row("L-4", "")
        );
        // It is not certain where rows end, so the gateway does not take the valid rows either.
        for accept in ["all", "valid"] {
            let path = format!("schedule?reference_id=r&accept={accept}");
            let answer = Answer::of(bulk.post(&path, "text/csv", table.clone())).await;
            let expected = (Some(2), Some(4), String::new(), "broken_quotes".to_owned());
            assert_eq!(told(&answer), [expected], "{name}");
            let message = message_of(&answer, 0);
            assert!(message.contains(says), "{name}: {message}");
            assert!(message.contains("begins in line 4"), "{name}: {message}");
        }
    }
    // The quote is closed by a quote in the next row.
    let table = format!(
        "{HEADER}\n{}{}{}",
        row("L-2", "\"2nd"),
        row("L-3", "\"x\""),
        row("L-4", "")
    );
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table)).await;
    assert_eq!(told(&answer)[0].1, Some(2));
    let retry = "id,status,note\n1,x,\"y\n2,x,y\n";
    let answer = Answer::of(bulk.post("retry?reference_id=r", "text/csv", retry)).await;
    let expected = (Some(1), Some(2), String::new(), "broken_quotes".to_owned());
    assert_eq!(told(&answer), [expected]);
    assert_eq!(operations(&pool).await, 0);
}

/// An older gateway accepted a table whose quotes are not allowed any more. The gateway still recognizes this table if
/// it is sent again.
#[sqlx::test]
async fn a_table_that_was_taken_once_is_known_again(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let table = "status,external_loan_id\nLOAN_DELETE,L-1\n";
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let lenient = table.replace("L-1", "\"L\"-1");
    let taken = sqlx::query!("UPDATE batch SET digest = sha256($1)", lenient.as_bytes());
    taken.execute(&pool).await.unwrap();
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", lenient)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("idempotency-replayed"), "true");
}

#[sqlx::test]
async fn what_a_spreadsheet_leaves_empty_is_no_row(pool: PgPool) {
    let gateway = TestGateway::start_with(pool.clone(), |state| {
        let clients = fineract_gateway::http::BulkClients::new(&super::clients());
        state.bulk = fineract_gateway::http::Bulk::new(clients, 2, None);
    })
    .await;
    let bulk = Bulk::new(gateway.address);
    let table = format!(
        ",,,,,,\r\n{HEADER},,\r\n,,,,,,,\r\nLOAN_REPAYMENT,L-1,11 January 2026,1.50,,,,\r\n\r\n\
         ,,,,,,,\r\nLOAN_REPAYMENT,L-2,11 January 2026,2.50,,,,,,\r\n,,,,,,,\r\n , ,,,,,,\r\n\r\n\r\n"
    );
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["summary"]["total"], 2);
    gateway
        .end_next(super::retry::failed("status_500", false))
        .await;
    gateway
        .end_next(super::retry::failed("status_500", false))
        .await;
    let retry = "id,status,external_loan_id,transactionDate,transactionAmount,,\n,,,,,,\n\
        2,LOAN_REPAYMENT,L-2,11 January 2026,2.50,,\n,,,,,,\n\n";
    let answer = Answer::of(bulk.post("retry?reference_id=r", "text/csv", retry)).await;
    assert_eq!(answer.json()["taken"], json!([2]), "{}", answer.text);

    let lost = format!("{HEADER},\nLOAN_REPAYMENT,L-1,11 January 2026,1.50,,,x\nLOAN_REPAYMENT\n");
    let answer = Answer::of(bulk.post("schedule?reference_id=r2", "text/csv", lost)).await;
    let codes: Vec<_> = told(&answer).into_iter().map(|error| error.3).collect();
    assert_eq!(codes, ["nameless_column", "wrong_length"]);
}

#[sqlx::test]
async fn what_is_no_csv_with_commas_says_what_to_do(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let row = "\nLOAN_REPAYMENT,L-1,11 January 2026,1.50,,\n";
    let table = format!("{HEADER}{row}");
    for (table, says) in [
        (table.replace(',', ";"), "semicolons"),
        (table.replace(',', "\t"), "tabs"),
        (format!("sep=;\n{}", table.replace(',', ";")), "sep="),
        (format!("\u{feff}\"SEP=,\"\r\n{table}"), "sep="),
    ] {
        for (path, required) in [("schedule", "status"), ("retry", "id")] {
            let table = table.replace("status", required);
            let path = format!("{path}?reference_id=r");
            let answer = Answer::of(bulk.post(&path, "text/csv", table)).await;
            let expected = (None, Some(1), String::new(), "wrong_separator".to_owned());
            assert_eq!(told(&answer), [expected]);
            let message = message_of(&answer, 0);
            assert!(
                message.contains(says) && message.contains("comma"),
                "{message}"
            );
        }
    }
}
