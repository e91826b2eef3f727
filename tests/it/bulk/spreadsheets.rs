//! A table of failed rows that a spreadsheet has opened and saved (`recorded/README.md` describes how).

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Bulk, command::bulk, errors_of, retry::codes};
use crate::support::{Answer, command::TemporaryFolder, system::System};

const WRITTEN: &str = include_str!("recorded/rows.failed.csv");
const NUMBERS: &str = include_str!("recorded/numbers.csv");
const DATES_TOO: &str = include_str!("recorded/dates-too.csv");
const WINDOWS: &str = include_str!("recorded/windows-1252.csv");

/// Every row fails: the loans do not exist, and the date of the client is not accepted.
const ROWS: &str = "\
status,externalId,firstname,lastname,activationDate,mobileNo,external_loan_id,transactionDate,transactionAmount,utr_payment_id,note,expires_at
CLIENT_CREATE,0007,अमित,Sharma,11-Jan-26,+919966999999,,,,,,
LOAN_REPAYMENT,,,,,,0007,10 February 2024,100000.10,00123456,\"two
lines, and a \"\"quote\"\"\",2099-01-01T10:00:00Z
LOAN_REPAYMENT,,,,,,1E5,10 February 2024,1000.00,601234567890123456,,
LOAN_REPAYMENT,,,,,,LOAN-123,10 February 2024,0.10,HDFC0001,007,2099-01-01T05:30:00+05:30
LOAN_REPAYMENT,,,,,,L-5,10 February 2024,1.50,1/2,,
LOAN_REPAYMENT,,,,,,L-6,10-Feb-2024,1.50,HDFC0002,,
";

/// The pointers and codes of the errors in each row that was not taken.
fn faults(answer: &Value) -> BTreeMap<i64, Vec<(String, String)>> {
    let rows = answer["not_taken"].as_array().unwrap().iter();
    rows.map(|row| {
        let errors = row["errors"].as_array().into_iter().flatten();
        let text = |error: &Value, key: &str| error[key].as_str().unwrap().to_owned();
        let errors = errors.map(|error| (text(error, "pointer"), text(error, "code")));
        (row["id"].as_i64().unwrap(), errors.collect())
    })
    .collect()
}

async fn retry(bulk: &Bulk, query: &str, table: &str) -> Value {
    let path = format!("retry?reference_id=r{query}");
    let answer = Answer::of(bulk.post(&path, "text/csv", table.to_owned())).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    bulk.end_of("r").await;
    answer.json()
}

#[sqlx::test]
async fn what_a_spreadsheet_changed_is_not_sent(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let client = Bulk::new(gateway.address);
    let folder = TemporaryFolder::new();
    let file = Path::new(folder.path()).join("rows.csv");
    let path = file.to_str().unwrap();
    fs::write(&file, ROWS).unwrap();
    let sent = bulk(gateway.address, "r", &["submit", path, "--accept-valid"]).await;
    assert_eq!(sent.code, Some(1), "{}", sent.stderr);
    // `bulk submit` still writes the recorded file.
    let written = fs::read_to_string(file.with_extension("failed.csv")).unwrap();
    assert_eq!(written, WRITTEN);

    let changed = |pointers: &[&str]| {
        let code = "changed_by_spreadsheet".to_owned();
        let with_code = |pointer: &&str| (format!("/data/{pointer}"), code.clone());
        pointers.iter().map(with_code).collect::<Vec<_>>()
    };
    let by_numbers = [
        (1, changed(&["externalId", "mobileNo"])),
        (2, changed(&["external_loan_id", "utr_payment_id"])),
        (3, changed(&["external_loan_id", "utr_payment_id"])),
    ];
    let answer = retry(&client, "", NUMBERS).await;
    assert_eq!(answer["taken"], json!([4, 5, 6]), "{answer}");
    assert_eq!(faults(&answer), BTreeMap::from(by_numbers.clone()));
    // Changed cells are refused even if other loans are allowed.
    let answer = retry(&client, "&allow_other_ids=true", DATES_TOO).await;
    assert_eq!(answer["taken"], json!([4]), "{answer}");
    let mut expected = BTreeMap::from(by_numbers);
    expected.insert(5, changed(&["utr_payment_id"]));
    let date = "/data/transactionDate".to_owned();
    expected.insert(6, vec![(date, "invalid_date".to_owned())]);
    assert_eq!(faults(&answer), expected);

    // In another character set, the Hindi name is lost. The gateway notices this by the byte order mark.
    let answer = Answer::of(client.post("retry?reference_id=r", "text/csv", WINDOWS)).await;
    assert_eq!(
        errors_of(&answer),
        [(None, String::new(), "wrong_character_set".to_owned())]
    );

    // The file as `bulk submit` wrote it, with only the wrong cell corrected.
    let corrected = WRITTEN.replace("11-Jan-26", "11-Jan-2026");
    let answer = retry(&client, "", &corrected).await;
    assert_eq!(answer["taken"], json!([1, 2, 3, 4, 5, 6]), "{answer}");
    let name = sqlx::query_scalar!(
        r#"SELECT data ->> 'firstname' AS "name!" FROM payload WHERE lane = 'client:0007'"#
    );
    assert_eq!(name.fetch_one(&pool).await.unwrap(), "अमित");
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn another_client_or_loan_is_taken_only_where_it_is_allowed(pool: PgPool) {
    let gateway = crate::support::TestGateway::start(pool).await;
    let client = Bulk::new(gateway.address);
    let table = "status,external_loan_id,actualDisbursementDate,utr_payment_id\n\
        LOAN_DISBURSE,7,11 January 2026,U-1\nLOAN_DISBURSE,L-2,11 January,U-2\nLOAN_DISBURSE,L-3,11 January 2026,U-3\n";
    let path = "schedule?reference_id=r&accept=valid";
    let answer = Answer::of(client.post(path, "text/csv", table)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let failed = || super::retry::failed("error.msg.loan.id.invalid", false);
    gateway.end_next(failed()).await;
    gateway.end_next(failed()).await;
    let table = "id,status,external_loan_id,actualDisbursementDate,utr_payment_id\n\
        1,LOAN_DISBURSE,0007,11 January 2026,U-1\n2,LOAN_DISBURSE,L-3,11 January 2026,U-2\n\
        3,LOAN_DISBURSE,L-3,11 January 2026,U-4\n";
    let post = |query: &str| {
        let path = format!("retry?reference_id=r{query}");
        Answer::of(client.post(&path, "text/csv", table))
    };
    let answer = post("&allow_other_ids=maybe").await;
    assert_eq!(errors_of(&answer)[0].1, "/allow_other_ids");
    // Another UTR is a correction (row 3). Row 2 never ran, but it may not name another loan either.
    let answer = post("").await.json();
    assert_eq!(answer["taken"], json!([3]), "{answer}");
    assert_eq!(codes(&answer), [(1, "other_id"), (2, "other_id")]);
    let answer = post("&allow_other_ids=true").await.json();
    assert_eq!(answer["taken"], json!([1, 2]), "{answer}");
}
