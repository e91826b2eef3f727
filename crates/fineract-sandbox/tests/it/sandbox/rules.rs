//! Tests of rules that were found when a real Fineract was compared with the sandbox, beyond the recordings
//! (`docs/fineract/clients.md`, `docs/fineract/loans.md`, `docs/fineract/payments.md`).

use reqwest::Method;
use serde_json::{Value, json};

use super::Seen::Fresh;
use super::{Bench, application, client, code};

#[tokio::test]
async fn a_loan_shows_a_greatest_balance_only_where_it_has_one() {
    let bench = Bench::start().await;
    bench.done(Method::POST, "/clients", &client("C-1")).await;
    for (name, limit, shown) in [
        (
            "Limited",
            json!({"outstandingLoanBalance": 500_000}),
            Some(500_000.0),
        ),
        ("Unlimited", json!({}), None),
    ] {
        let mut product = json!({"name": name, "shortName": &name[..3], "currencyCode": "INR", "principal": 1000,
            "numberOfRepayments": 12, "repaymentEvery": 1, "repaymentFrequencyType": 2,
            "interestRatePerPeriod": 8, "interestRateFrequencyType": 3, "amortizationType": 1,
            "interestType": 0, "interestCalculationPeriodType": 0, "multiDisburseLoan": true,
            "transactionProcessingStrategyCode": "mifos-standard-strategy", "locale": "en"});
        product
            .as_object_mut()
            .unwrap()
            .extend(limit.as_object().unwrap().clone());
        let made = bench.done(Method::POST, "/loanproducts", &product).await;
        let mut loan = application(&made["resourceId"], name);
        loan["disbursementData"] =
            json!([{"expectedDisbursementDate": "10 January 2024", "principal": 100_000}]);
        bench.done(Method::POST, "/loans", &loan).await;
        let path = format!("/loans/external-id/{name}");
        let read = bench.done(Method::GET, &path, &Value::Null).await;
        assert_eq!(read["multiDisburseLoan"], true, "{name}");
        let most = read
            .get("maxOutstandingLoanBalance")
            .and_then(Value::as_f64);
        assert_eq!(most, shown, "{name}");
    }
}

#[tokio::test]
async fn a_client_that_is_not_active_is_refused_before_the_fields_of_an_update() {
    let bench = Bench::start().await;
    bench.done(Method::POST, "/clients", &client("C-1")).await;
    let mut pending = client("C-2");
    pending["active"] = json!(false);
    pending.as_object_mut().unwrap().remove("activationDate");
    bench.done(Method::POST, "/clients", &pending).await;
    let product = json!(1);
    bench
        .done(Method::POST, "/loans", &application(&product, "L"))
        .await;
    let mut update = application(&product, "L");
    update["principal"] = json!(0);
    for (of, status, refusal) in [
        (
            1,
            400,
            "validation.msg.loan.principal.not.greater.than.zero",
        ),
        (2, 403, "error.msg.client.not.active.exception"),
        (9, 404, "error.msg.client.id.invalid"),
    ] {
        update["clientId"] = json!(of);
        let call = bench.call("mifos", Method::PUT, "/loans/external-id/L", &update);
        let (seen, answer) = bench.see(call).await;
        assert_eq!((seen, code(&answer)), (Fresh(status), refusal));
    }
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_clients_dates_is_said_at_once() {
    let bench = Bench::start().await;
    bench.done(Method::POST, "/clients", &client("C-1")).await;
    let update = json!({"firstname": "New", "lastname": "Name", "activationDate": "31 December 2008",
        "locale": "en", "dateFormat": "dd MMMM yyyy"});
    let call = bench.call("mifos", Method::PUT, "/clients/1", &update);
    let (seen, answer) = bench.see(call).await;
    assert_eq!(seen, Fresh(400));
    let codes = answer["errors"].as_array().unwrap().iter();
    let codes: Vec<_> = codes
        .map(|error| &error["userMessageGlobalisationCode"])
        .collect();
    assert_eq!(
        codes,
        [
            "error.msg.clients.submittedOnDate.after.activation.date",
            "error.msg.clients.activationDate.cannot.be.before.office.activation.date",
        ]
    );
    let read = bench.done(Method::GET, "/clients/1", &Value::Null).await;
    assert_eq!(read["firstname"], "A", "the update is refused as a whole");
}

/// No recording contains notes. The expected answers are taken from the source code of Fineract.
#[tokio::test]
async fn a_loan_lists_its_notes_and_those_of_its_transactions_where_they_are_asked_for() {
    let bench = Bench::start().await;
    bench.done(Method::POST, "/clients", &client("C-1")).await;
    let products = bench.done(Method::GET, "/loanproducts", &Value::Null).await;
    let listed = products.as_array().unwrap().iter();
    let product = listed
        .clone()
        .find(|product| product["name"] == "UGRO")
        .unwrap()["id"]
        .clone();
    bench
        .done(Method::POST, "/loans", &application(&product, "L"))
        .await;
    let path = "/loans/external-id/L";
    let dated = |name: &str, note: &str| json!({name: "10 January 2024", "locale": "en", "dateFormat": "dd MMMM yyyy", "note": note});
    let read = async |associations: &str| {
        let path = format!("{path}?associations={associations}");
        bench.done(Method::GET, &path, &Value::Null).await
    };
    assert_eq!(read("notes").await.get("notes"), None, "no notes yet");
    let approval = dated("approvedOnDate", "Approved");
    bench
        .done(Method::POST, &format!("{path}?command=approve"), &approval)
        .await;
    let mut payout = dated("actualDisbursementDate", "UTR 1");
    payout["transactionAmount"] = json!(1_000);
    bench
        .done(Method::POST, &format!("{path}?command=disburse"), &payout)
        .await;
    let mut repayment = dated("transactionDate", "UTR 2");
    repayment["transactionAmount"] = json!(10);
    let repaid = bench
        .done(
            Method::POST,
            &format!("{path}/transactions?command=repayment"),
            &repayment,
        )
        .await;
    let notes = read("notes").await["notes"].clone();
    let notes: Vec<_> = notes
        .as_array()
        .unwrap()
        .iter()
        .map(|note| {
            (
                &note["note"],
                &note["noteType"]["id"],
                note.get("loanTransactionId"),
            )
        })
        .map(|(note, kind, transaction)| json!([note, kind, transaction]))
        .collect();
    assert_eq!(
        json!(notes),
        json!([
            ["UTR 2", 300, repaid["resourceId"]],
            ["UTR 1", 200, null],
            ["Approved", 200, null]
        ])
    );
    assert_eq!(read("transactions").await.get("notes"), None);
}
