//! Cells of tables: a value that a spreadsheet has damaged is refused, but some values may be written differently than
//! in JSON.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    Bulk,
    tables::{message_of, told},
};
use crate::support::{Answer, TestGateway, fixtures::client_create};

#[sqlx::test]
async fn cells_that_a_spreadsheet_spoiled_are_refused_for_that(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let header = "status,consent_id,externalId,firstname,lastname,activationDate,mobileNo,clientId,lenderConfig,principal,submittedOnDate,loanTermFrequency,numberOfRepayments,interestRatePerPeriod";
    let client = |consent: &str, id: &str, first: &str, day: &str, phone: &str| {
        format!("CLIENT_CREATE,{consent},{id},{first},B,{day},{phone},,,,,,,\n")
    };
    let loan = |client: &str, amount: &str, day: &str, term: &str| {
        format!("LOAN_CREATE,,L,,,,,{client},UGRO,{amount},{day},{term},12,8\n")
    };
    let good_day = "11 January 2026";
    let rows = [
        (
            client("", "=\"0007\"", "A", good_day, "1"),
            "/data/externalId",
            "spreadsheet_formula",
        ),
        (
            client("", "\"=\"\"0007\"\"\"", "A", good_day, "1"),
            "/data/externalId",
            "spreadsheet_formula",
        ),
        (
            client("", "'0007", "A", good_day, "1"),
            "/data/externalId",
            "leading_apostrophe",
        ),
        (
            client("", "\t0007", "A", good_day, "1"),
            "/data/externalId",
            "leading_tab",
        ),
        (
            client("", "6.01E+11", "A", good_day, "1"),
            "/data/externalId",
            "rounded_by_spreadsheet",
        ),
        (
            client("", "C", "A", good_day, "9.19967E+11"),
            "/data/mobileNo",
            "rounded_by_spreadsheet",
        ),
        (
            client("", "C", "A", good_day, "'919967"),
            "/data/mobileNo",
            "leading_apostrophe",
        ),
        (
            client("", "C", "=\"A\"", good_day, "1"),
            "/data/firstname",
            "spreadsheet_formula",
        ),
        (
            client("6.01E+11", "C", "A", good_day, "1"),
            "/consent_id",
            "rounded_by_spreadsheet",
        ),
        (
            client("", "C", "A", "'11 January 2026", "1"),
            "/data/activationDate",
            "leading_apostrophe",
        ),
        (
            client("", "C", "A", "11-Jan-26", "1"),
            "/data/activationDate",
            "invalid_date",
        ),
        (
            client("", "C", "A", "11/01/2026", "1"),
            "/data/activationDate",
            "invalid_date",
        ),
        (
            loan("'C", "1", good_day, "12"),
            "/data/clientId",
            "leading_apostrophe",
        ),
        (
            loan("C", "\"1,00,000.00\"", good_day, "12"),
            "/data/principal",
            "wrong_type",
        ),
        (
            loan("C", "1.23457E+11", good_day, "12"),
            "/data/principal",
            "rounded_by_spreadsheet",
        ),
        (
            loan("C", "100000", good_day, "twelve"),
            "/data/loanTermFrequency",
            "wrong_type",
        ),
    ];
    let table: String = rows.iter().map(|(row, ..)| row.as_str()).collect();
    let table = format!("{header}\n{table}");
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table)).await;
    let expected: Vec<_> = (1..)
        .zip(&rows)
        .map(|(row, (_, pointer, code))| {
            (
                Some(row),
                Some(row + 1),
                (*pointer).to_owned(),
                (*code).to_owned(),
            )
        })
        .collect();
    assert_eq!(told(&answer), expected);
    for (row, says) in [
        (11, "all four digits of the year"),
        (14, "without commas"),
        (16, "a number like 100000.50"),
    ] {
        let message = message_of(&answer, row - 1);
        assert!(
            message.contains(says) && !message.contains("JSON"),
            "{message}"
        );
    }

    // These cells look similar, but none of them is damaged.
    let table = format!(
        "{header}\n{}{}{}{}",
        client("1E5", "1E5", "'Tara", "2026-01-11", "+91 99"),
        client("", "0007", "A", "11-Jan-2026", "0091"),
        client("", "=C", "A", "1-feb-2026", "1"),
        loan("C", "100000.10", "2026-01-11", "12"),
    );
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let days = sqlx::query_scalar!(
        r#"SELECT COALESCE(p.data ->> 'activationDate', p.data ->> 'submittedOnDate') AS "day!"
             FROM batch_row r JOIN payload p USING (operation_id) ORDER BY r.number"#
    );
    assert_eq!(
        days.fetch_all(&pool).await.unwrap(),
        [good_day, good_day, "01 February 2026", good_day]
    );
}

/// In JSON a date has only one form, because no spreadsheet has written it.
#[sqlx::test]
async fn days_of_spreadsheets_are_for_tables_alone(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let mut row: Value = client_create("C");
    row["data"]["activationDate"] = json!("2026-01-11");
    let answer = Answer::of(bulk.post(
        "schedule?reference_id=r",
        "application/x-ndjson",
        format!("\n{row}\n"),
    ))
    .await;
    let pointer = "/data/activationDate".to_owned();
    assert_eq!(
        told(&answer),
        [(Some(1), Some(2), pointer, "invalid_date".to_owned())]
    );
}
