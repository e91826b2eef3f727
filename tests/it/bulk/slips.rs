//! Mistakes in a table that are visible only if several rows are compared.

use serde_json::json;
use sqlx::PgPool;

use super::{Bulk, retry, tables::told};
use crate::support::{Answer, TestGateway};

type Told = (Option<i64>, Option<i64>, String, String);

fn expected(of: &[(i64, &str, &str)]) -> Vec<Told> {
    let told = |&(row, pointer, code): &(i64, &str, &str)| {
        (
            Some(row),
            Some(row + 1),
            pointer.to_owned(),
            code.to_owned(),
        )
    };
    of.iter().map(told).collect()
}

#[sqlx::test]
async fn a_number_is_written_in_one_way(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let table = "status,externalId,firstname,lastname,activationDate,mobileNo,external_loan_id,transactionDate,transactionAmount,utr_payment_id\n\
        CLIENT_CREATE,0009,A,B,01 January 2026,+919966999999,,,,\n\
        CLIENT_CREATE,9,A,B,01 January 2026,919966999999,,,,\n\
        CLIENT_CREATE,C-09,A,B,01 January 2026,,,,,\n\
        LOAN_REPAYMENT,,,,,,9,10 February 2026,10,00123\n\
        LOAN_REPAYMENT,,,,,,09,10 February 2026,10,123\n\
        LOAN_REPAYMENT,,,,,,9,10 February 2026,10,124\n";
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table)).await;
    // A client and a loan may have the same number.
    let faults = [
        (2, "/data/externalId", "other_zeros"),
        (2, "/data/mobileNo", "other_zeros"),
        (5, "/data/external_loan_id", "other_zeros"),
        (5, "/data/utr_payment_id", "other_zeros"),
    ];
    assert_eq!(told(&answer), expected(&faults), "{}", answer.text);
}

#[sqlx::test]
async fn a_payment_that_was_pasted_twice_is_one(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let table = "status,consent_id,external_loan_id,transactionDate,transactionAmount,utr_payment_id,approvedOnDate\n\
        LOAN_REPAYMENT,,L-1,10 February 2026,10.00,,\n\
        LOAN_REPAYMENT,,L-1,10 February 2026,11.00,,\n\
        LOAN_REPAYMENT,,L-1,10 February 2026,10.00,,\n\
        LOAN_REPAYMENT,a,L-1,10 February 2026,10.00,,\n\
        LOAN_REPAYMENT,b,L-1,10 February 2026,10.00,,\n\
        LOAN_APPROVE,,L-1,,,,10 February 2026\n\
        LOAN_APPROVE,,L-1,,,,10 February 2026\n";
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table)).await;
    let faults = [(3, "", "repeated_payment")];
    assert_eq!(told(&answer), expected(&faults), "{}", answer.text);
}

#[sqlx::test]
async fn an_empty_cell_does_not_mean_all_that_is_approved(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let bulk = Bulk::new(gateway.address);
    let rows = |of: &[(&str, &str)]| {
        let row = |(amount, utr): &(&str, &str)| {
            format!("LOAN_DISBURSE,L-1,11 January 2026,{amount},{utr}\n")
        };
        let header =
            "status,external_loan_id,actualDisbursementDate,transactionAmount,utr_payment_id\n";
        format!("{header}{}", of.iter().map(row).collect::<String>())
    };
    let path = "schedule?reference_id=r&accept=valid";
    let table = rows(&[("10.00", "U-1"), ("", "U-2"), ("20 Rs", "U-3")]);
    let answer = Answer::of(bulk.post("schedule?reference_id=r", "text/csv", table.clone())).await;
    let faults = [
        (2, "/data/transactionAmount", "empty_amount"),
        (3, "/data/transactionAmount", "wrong_type"),
    ];
    assert_eq!(told(&answer), expected(&faults), "{}", answer.text);
    // Without the column, the row means the whole approved amount.
    let all = "status,external_loan_id,actualDisbursementDate,utr_payment_id\n\
        LOAN_DISBURSE,L-2,11 January 2026,U-4\n";
    let answer = Answer::of(bulk.post("schedule?reference_id=all", "text/csv", all)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);

    // A correction must not leave out the amount of a row either.
    let answer = Answer::of(bulk.post(path, "text/csv", table)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    for _ in 0..2 {
        gateway
            .end_next(retry::failed("error.msg.loan.id.invalid", false))
            .await;
    }
    let retried = async |reference: &str, table: &str| {
        let path = format!("retry?reference_id={reference}");
        let answer = Answer::of(bulk.post(&path, "text/csv", table.to_owned())).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        let not_taken = answer.json()["not_taken"].clone();
        let errors = not_taken.as_array().unwrap().iter().flat_map(|row| {
            let errors = row["errors"].as_array().unwrap().iter();
            errors.map(|error| json!([row["id"], error["pointer"], error["code"]]))
        });
        (answer.json()["taken"].clone(), errors.collect::<Vec<_>>())
    };
    let header = "id,external_loan_id,actualDisbursementDate,transactionAmount,utr_payment_id\n";
    let table = format!(
        "{header}1,L-1,11 January 2026,,U-1\n2,L-1,11 January 2026,30,\n3,L-1,11 January 2026,,U-3\n"
    );
    let (taken, errors) = retried("r", &table).await;
    assert_eq!(taken, json!([]));
    let amount = "/data/transactionAmount";
    assert_eq!(
        errors,
        [
            json!([1, amount, "left_out"]),
            json!([2, "/data/utr_payment_id", "left_out"]),
            json!([3, amount, "empty_amount"])
        ]
    );
    // This row never had an amount.
    let (taken, errors) = retried("all", &format!("{header}1,L-2,11 January 2026,,U-4\n")).await;
    assert_eq!((taken, errors), (json!([1]), Vec::new()));
}
