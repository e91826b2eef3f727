//! Uploads as CSV and NDJSON.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Bulk, error_of, errors_of};
use crate::support::{Answer, TestGateway, fixtures::client_create};

/// The payloads of all rows as they are stored, in the order of the rows.
async fn payloads(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar!(
        r#"SELECT p.data::text AS "data!"
             FROM batch_row r JOIN payload p USING (operation_id) ORDER BY r.batch_id, r.number"#
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[sqlx::test]
async fn a_table_becomes_operations_and_its_numbers_keep_their_digits(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    // As Excel writes RFC 4180: a byte order mark, CRLF, and cells with quotes, a comma and a line break.
    let table = "\u{feff}status,consent_id,externalId,firstname,lastname,mobileNo,activationDate,clientId,lenderConfig,principal,submittedOnDate,loanTermFrequency,numberOfRepayments,interestRatePerPeriod,external_loan_id,actualDisbursementDate,transactionAmount,note\r\n\
        CLIENT_CREATE,c-1,C,\"Jay \"\"J\"\"\",\"Bad,\r\ngujar\",9966999999,01 January 2026,,,,,,,,,,,\r\n\
        LOAN_CREATE,,L,,,,,C,UGRO,100000.10,11 January 2026,12,12,8.50,,,,\r\n\
        \r\n\
        LOAN_DISBURSE,,,,,,,,,,,,,,L,11 January 2026,0.10,007\r\n";
    let answer = Answer::of(bulk.post(
        "schedule?reference_id=r%201&file_name=a.csv",
        "text/csv; charset=utf-8",
        table,
    ))
    .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(
        payloads(&pool).await,
        [
            r#"{"externalId":"C","firstname":"Jay \"J\"","lastname":"Bad,\r\ngujar","mobileNo":"9966999999","activationDate":"01 January 2026"}"#,
            r#"{"externalId":"L","clientId":"C","lenderConfig":"UGRO","principal":100000.10,"submittedOnDate":"11 January 2026","loanTermFrequency":12,"numberOfRepayments":12,"interestRatePerPeriod":8.50}"#,
            r#"{"external_loan_id":"L","actualDisbursementDate":"11 January 2026","transactionAmount":0.10,"note":"007"}"#,
        ]
    );
    let status = bulk.status(&json!({ "reference_id": "r 1" })).await;
    assert_eq!(status["metadata"]["file_name"], "a.csv");
    assert_eq!(status["records"][0]["consent_id"], "c-1");
}

#[sqlx::test]
async fn what_is_wrong_in_a_table_is_told_by_row_and_column(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let post = |table: Vec<u8>| Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table));
    let header = "status,externalId,principal";
    let mut not_utf8 = format!("{header}\nLOAN_UPDATE,L,1\nLOAN_UPDATE,").into_bytes();
    not_utf8.extend(b"\xff,1\n");
    for (table, expected) in [
        (
            format!("{header}\nLOAN_UPDATE,L,\"1,000\"\nLOAN_UPDATE,L,1,2\n,L,1\nLOAN_PAY,L,1\nLOAN_UPDATE,,007\n").into_bytes(),
            vec![
                (Some(1), "/data/principal", "wrong_type"),
                (Some(2), "", "wrong_length"),
                (Some(3), "/status", "required"),
                (Some(4), "/status", "unknown_value"),
                (Some(5), "/data/externalId", "required"),
                (Some(5), "/data/principal", "wrong_type"),
            ],
        ),
        (not_utf8, vec![(Some(2), "", "not_utf8")]),
        (
            b"externalId,principal,principal\nL,1,1\n".to_vec(),
            vec![(None, "/principal", "repeated_field"), (None, "/status", "required")],
        ),
        (b"status,externalId,wat\nLOAN_DELETE,,1\n".to_vec(), vec![
            (Some(1), "/data/external_loan_id", "required"),
            (Some(1), "/data/wat", "unknown_field"),
        ]),
        (b"status\n".to_vec(), vec![(None, "/operations", "required")]),
        (Vec::new(), vec![(None, "/status", "required")]),
    ] {
        let found = errors_of(&post(table.clone()).await);
        let found: Vec<_> = found.iter().map(|(row, pointer, code)| (*row, pointer.as_str(), code.as_str())).collect();
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(&table));
    }
    let nameless = bulk.post(
        "schedule?name=r",
        "text/csv",
        "status,external_loan_id\nLOAN_DELETE,L\n",
    );
    let found = errors_of(&Answer::of(nameless).await);
    let pointers: Vec<_> = found
        .iter()
        .map(|(_, pointer, _)| pointer.as_str())
        .collect();
    assert_eq!(pointers, ["/reference_id", "/name"]);
}

#[sqlx::test]
async fn one_row_a_line_and_no_line_hides_another(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let row = r#"{"consent_id":"x","data":{"external_loan_id":"L","transactionAmount":1.10,"actualDisbursementDate":"11 January 2026"},"status":"LOAN_DISBURSE"}"#;
    let lines = format!("{}\r\n\n  {row}", client_create("C"));
    let post = |reference: &str, lines: String| {
        Answer::of(bulk.post(
            &format!("schedule?reference_id={reference}"),
            "application/x-ndjson",
            lines,
        ))
    };
    let answer = post("r", lines).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(
        payloads(&pool).await[1],
        r#"{"external_loan_id":"L","transactionAmount":1.10,"actualDisbursementDate":"11 January 2026"}"#
    );

    let broken = format!(
        "{}\n{{\"status\":\n[]\n{}",
        client_create("A"),
        client_create("B")
    );
    let answer = post("broken", broken.clone()).await;
    let codes: Vec<_> = errors_of(&answer)
        .into_iter()
        .map(|(row, _, code)| (row, code))
        .collect();
    assert_eq!(
        codes,
        [
            (Some(2), "broken_json".to_owned()),
            (Some(3), "wrong_type".to_owned())
        ]
    );
    let answer = post("valid&accept=valid", broken).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["summary"]["ready"], 2);
    assert_eq!(answer.json()["summary"]["failed"], 2);
}

#[sqlx::test]
async fn an_upload_that_breaks_off_is_no_batch(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let request = "POST /bulk/schedule?reference_id=r HTTP/1.1\r\nHost: x\r\nclient_id: lender-id\r\n\
        client_secret: lender-secret\r\nappIdentifier: lender-app\r\norganisationId: lender-org\r\n\
        Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n";
    // One complete row, then bytes that are no valid chunk.
    let chunk = "status,external_loan_id\nLOAN_DELETE,L\n";
    let answer = gateway
        .raw(&format!("{request}{:x}\r\n{chunk}\r\nxyz\r\n", chunk.len()))
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 400") || answer.is_empty(),
        "{answer}"
    );
    let batches = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM batch"#).fetch_one(&pool);
    assert_eq!(batches.await.unwrap(), 0);
}

#[sqlx::test]
async fn ten_thousand_rows_are_a_batch_and_one_more_is_not(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    // Each lane gets five rows.
    let row = |n| format!("LOAN_DISBURSE,L-{},11 January 2026,1{n}.50\n", n % 2_000);
    let header = "status,external_loan_id,actualDisbursementDate,transactionAmount\n".to_owned();
    let mut table: String = std::iter::once(header)
        .chain((0..10_000).map(row))
        .collect();
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table.clone())).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["summary"]["ready"], 10_000);
    let first_of = sqlx::query_scalar!(
        r#"SELECT array_agg(p.data ->> 'transactionAmount' ORDER BY o.position) AS "amounts!"
             FROM operation o JOIN payload p ON p.operation_id = o.id WHERE o.lane = 'loan:l-7'"#
    );
    let amounts = first_of.fetch_one(&pool).await.unwrap();
    assert_eq!(
        amounts,
        ["17.50", "12007.50", "14007.50", "16007.50", "18007.50"]
    );
    let page: Value = bulk
        .status(&json!({ "reference_id": "r", "limit": 1000, "page": 10 }))
        .await;
    assert_eq!(page["records"][999]["id"], 10_000);

    table += "LOAN_DISBURSE,L,11 January 2026,1\n";
    let answer = Answer::of(bulk.post("schedule?reference_id=r2", "text/csv", table)).await;
    let (status, code, message) = error_of(&answer);
    assert_eq!((status, code.as_str()), (413, "TooManyRows"));
    assert_eq!(message, "A batch may have at most 10000 rows.");
}

#[sqlx::test]
async fn a_row_is_no_larger_than_an_operation_may_be(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let row = |note: usize| {
        let mut row = client_create("C");
        row["data"]["note"] = json!("x".repeat(note));
        row
    };
    let (fits, large) = (row(60_000), row(65_536));
    let header = "status,externalId,firstname";
    let large_cell = "x".repeat(65_536);
    for (path, media_type, body) in [
        (
            "schedule",
            "application/json",
            json!({ "reference_id": "r", "operations": [fits, large] }).to_string(),
        ),
        (
            "schedule?reference_id=r",
            "application/x-ndjson",
            format!("{fits}\n{large}\n"),
        ),
        (
            "schedule?reference_id=r",
            "text/csv",
            format!("{header}\nCLIENT_UPDATE,C,A\nCLIENT_UPDATE,C,{large_cell}\n"),
        ),
    ] {
        let answer = Answer::of(bulk.post(path, media_type, body)).await;
        let errors = errors_of(&answer);
        let too_large = (Some(2), String::new(), "too_large".to_owned());
        let found: Vec<_> = errors
            .iter()
            .filter(|(_, _, code)| *code == too_large.2)
            .collect();
        assert_eq!(found, [&too_large], "{media_type}");
    }
    let around = json!({ "reference_id": "r", "more": "x".repeat(65_536), "operations": [client_create("C")] });
    let answer = bulk.send("schedule", &around).await;
    assert_eq!(
        errors_of(&answer),
        [(None, String::new(), "too_large".to_owned())]
    );

    let mut bad = client_create("C");
    bad["data"]["firstname"] = json!("");
    let body = json!({ "reference_id": "r", "accept": "valid", "operations": [bad] });
    assert_eq!(bulk.send("schedule", &body).await.status, 202);
    let retry = |new: &Value| {
        let modification = json!({ "id": 1, "data": new["data"] });
        json!({ "reference_id": "r", "modifications": [modification] })
    };
    let answer = bulk.send("retry", &retry(&large)).await.json();
    let not_taken = &answer["not_taken"][0];
    assert_eq!(not_taken["code"], "invalid_data", "{answer}");
    assert_eq!(not_taken["errors"][0]["code"], "too_large", "{answer}");
    let answer = bulk.send("retry", &retry(&client_create("C"))).await;
    assert_eq!(answer.json()["taken"], json!([1]), "{}", answer.text);
}
