//! `setup-fineract` creates what is missing, only once, and changes nothing that exists.

use fineract_sandbox::Sandbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    command::{Ended, run},
    sandbox::ServedSandbox,
};

const PATHS: [&str; 4] = ["/currencies", "/paymenttypes", "/charges", "/loanproducts"];

async fn set_up(sandbox: &ServedSandbox, argument: &[&str], more: &[(&str, &str)]) -> Ended {
    let url = sandbox.url();
    let mut variables = vec![
        ("FINERACT_URL", url.as_str()),
        ("FINERACT_USER", "mifos"),
        ("FINERACT_PASSWORD", "password"),
    ];
    variables.extend(more);
    run(&[&["setup-fineract"], argument].concat(), &variables).await
}

async fn everything(sandbox: &ServedSandbox) -> Vec<Value> {
    let mut read = Vec::new();
    for path in PATHS {
        read.push(sandbox.get(path).await);
    }
    read
}

fn names(list: &Value) -> Vec<&str> {
    let things = list.as_array().expect("a list").iter();
    things
        .map(|thing| thing["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn what_is_missing_is_made_once() {
    let sandbox = ServedSandbox::start(Sandbox::unprepared()).await;
    let payment_type = [("FINERACT_PAYMENT_TYPE", "Bank transfer")];
    let fresh = everything(&sandbox).await;

    let dry = set_up(&sandbox, &["--dry-run"], &payment_type).await;
    assert_eq!((dry.code, dry.stderr.as_str()), (Some(0), ""));
    assert_eq!(dry.stdout.matches("  would be created").count(), 12);
    assert_eq!(everything(&sandbox).await, fresh);

    let first = set_up(&sandbox, &[], &payment_type).await;
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        first.stdout,
        dry.stdout.replace("would be created", "created")
    );
    assert_eq!(first.stdout.matches("its rate is per year").count(), 9);
    let [currencies, payment_types, charges, products] = &everything(&sandbox).await[..] else {
        panic!("four answers");
    };
    assert_eq!(
        currencies["selectedCurrencyOptions"],
        json!([{"code": "USD"}, {"code": "INR"}])
    );
    assert_eq!(names(payment_types).last(), Some(&"Bank transfer"));
    assert_eq!(names(charges), ["Processing fee"]);
    assert_eq!(names(products).len(), 9);
    for product in products.as_array().unwrap() {
        let path = format!("/loanproducts/{}", product["id"]);
        let taken = sandbox.get(&path).await["charges"].clone();
        let expected = if product["name"] == "DMI" {
            json!([charges[0]])
        } else {
            json!([])
        };
        assert_eq!(taken, expected, "{}", product["name"]);
    }

    let made = everything(&sandbox).await;
    let second = set_up(&sandbox, &[], &payment_type).await;
    assert_eq!(second.code, Some(0));
    // `setup-fineract` reads the charge only if a product with this charge is missing.
    assert_eq!(second.stdout.matches("  exists").count(), 11);
    assert!(!second.stdout.contains("created"), "{}", second.stdout);
    assert_eq!(everything(&sandbox).await, made);
}

#[tokio::test]
async fn products_bear_the_names_that_the_settings_give_them() {
    let sandbox = ServedSandbox::start(Sandbox::unprepared()).await;
    let monthly = json!({
        "name": "Shivalik weekly", "shortName": "SW", "currencyCode": "INR", "principal": 1000,
        "numberOfRepayments": 12, "repaymentEvery": 1, "repaymentFrequencyType": 1,
        "interestRatePerPeriod": 2, "interestRateFrequencyType": 2, "amortizationType": 1,
        "interestType": 0, "interestCalculationPeriodType": 1,
        "transactionProcessingStrategyCode": "mifos-standard-strategy", "locale": "en",
    });
    let path = "/loanproducts";
    sandbox.request(Method::POST, path, &monthly).await;
    let lenders = [(
        "LENDERS",
        "UGRO=Ugro Capital,SHIVALIK=Shivalik weekly,NEWCO",
    )];

    let ended = set_up(&sandbox, &[], &lenders).await;

    assert_eq!(
        ended.code,
        Some(1),
        "a person has to create the product of NEWCO"
    );
    for line in [
        "payment type                    not set: UTRs are stored in notes",
        "product       Ugro Capital      created; its rate is per year",
        "product       Shivalik weekly   exists; its rate is per month",
        "product       NEWCO             is missing: create it by hand, NEWCO is none of the nine lenders",
    ] {
        assert!(
            ended.stdout.lines().any(|shown| shown == line),
            "{line}\n{}",
            ended.stdout
        );
    }
    let products = sandbox.get(path).await;
    assert_eq!(names(&products), ["Shivalik weekly", "Ugro Capital"]);
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_in_one_line() {
    let sandbox = ServedSandbox::start(Sandbox::unprepared()).await;
    let rival = json!({
        "name": "Rival", "shortName": "UGR", "currencyCode": "INR", "principal": 1000,
        "numberOfRepayments": 12, "repaymentEvery": 1, "repaymentFrequencyType": 1,
        "interestRatePerPeriod": 2, "interestRateFrequencyType": 2, "amortizationType": 1,
        "interestType": 0, "interestCalculationPeriodType": 1,
        "transactionProcessingStrategyCode": "mifos-standard-strategy", "locale": "en",
    });
    sandbox.request(Method::POST, "/loanproducts", &rival).await;
    let without_path = sandbox.url().replace("/v1", "/v2");
    for (variable, value, said) in [
        (
            "FINERACT_PASSWORD",
            "wrong",
            "wrong FINERACT_USER or FINERACT_PASSWORD",
        ),
        (
            "FINERACT_URL",
            "http://127.0.0.1:9/api/v1",
            "FINERACT_URL cannot be reached",
        ),
        (
            "FINERACT_URL",
            &without_path,
            "FINERACT_URL should end in /api/v1",
        ),
        ("FINERACT_USER", "", "FINERACT_USER is missing"),
        (
            "LENDERS",
            "UGRO",
            "error.msg.product.loan.duplicate.short.name",
        ),
    ] {
        let ended = set_up(&sandbox, &[], &[(variable, value)]).await;
        assert_eq!(ended.code, Some(2), "{variable}={value}: {}", ended.stdout);
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}
