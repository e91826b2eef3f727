//! What the gateway takes from a lender's product, and how long it keeps the product.

use std::path::Path;

use fineract_gateway::tls::http_client;
use fineract_gateway::{
    config::Config,
    domain::{Product, Reads},
    fineract::{Fineract, ReadFailure, Subject},
};
use fineract_sandbox::Sandbox;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    fake_fineract::{FakeFineract, NOW},
    support::{eventually::eventually, sandbox::ServedSandbox, system::System},
};

const METRICS: &str = "/fineract-provider/actuator/prometheus";

/// The first exchange of a recorded scenario that `is_wanted` accepts.
fn recorded(scenario: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(
        "crates/fineract-sandbox/tests/recorded/{scenario}.json"
    ));
    let text = std::fs::read_to_string(file).expect("a recording");
    let recording: Value = serde_json::from_str(&text).expect("JSON");
    let mut steps = recording["steps"].as_array().expect("steps").iter();
    steps
        .find(|step| is_wanted(step))
        .expect("a recorded step that is wanted")
        .clone()
}

/// The product of DMI as it was recorded when it was read by itself.
fn recorded_product() -> Value {
    let product = recorded("product-reads", |step| {
        step["request"]["path"] == "/loanproducts/{{product.DMI}}"
    });
    product["response"]["body"].clone()
}

/// A body whose numbers are compared by their values: `2.000000` becomes 2.
fn by_value(body: Value) -> Value {
    match body {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(by_value).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, by_value(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => body,
    }
}

/// The path and the body of the only attempt of an operation.
async fn sent(pool: &PgPool, tracking_id: &str) -> (String, Value) {
    let id = tracking_id.split_once('|').expect("a tracking id").1;
    let attempt = sqlx::query!(
        "SELECT path, body FROM attempt WHERE operation_id = $1",
        id.parse::<uuid::Uuid>().expect("an id")
    )
    .fetch_one(pool)
    .await
    .expect("one attempt");
    let body = serde_json::from_str(&attempt.body.expect("a body")).expect("JSON");
    (attempt.path, by_value(body))
}

/// Loan L with its charges, as Fineract shows it.
async fn loan(system: &System) -> Value {
    let path = "/fineract-provider/api/v1/loans/external-id/L?associations=charges";
    let client = http_client().no_proxy().build().expect("a client");
    let request = client.get(format!("http://{}{path}", system.sandbox));
    let request = request.header("Fineract-Platform-TenantId", "default");
    let answer = request.basic_auth("mifos", Some("password")).send().await;
    let answer = answer.expect("the sandbox answers");
    answer.json().await.expect("JSON")
}

#[sqlx::test]
async fn a_loan_of_dmi_is_created_and_changed_with_all_that_was_recorded(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let client = json!({ "firstname": "Asha", "lastname": "Rao", "externalId": "C",
                         "activationDate": "01 January 2024" });
    assert_eq!(
        gateway.run("CLIENT_CREATE", client).await["status"],
        "success"
    );
    let product = recorded_product();
    let filled = |step: &Value, product_id: &Value| {
        let mut body = step["request"]["body"].clone();
        body["clientId"] = json!(1);
        body["productId"] = product_id.clone();
        body["externalId"] = json!("L");
        body
    };

    let create = recorded("loan-create", |step| {
        step["request"]["body"]["productId"] == "{{product.DMI}}"
    });
    let terms = &create["request"]["body"];
    let data = json!({ "lenderConfig": "DMI", "externalId": "L", "clientId": "C",
        "principal": terms["principal"], "submittedOnDate": terms["submittedOnDate"],
        "loanTermFrequency": terms["loanTermFrequency"],
        "numberOfRepayments": terms["numberOfRepayments"],
        "interestRatePerPeriod": terms["interestRatePerPeriod"] });
    let id = gateway.send("LOAN_CREATE", data).await;
    assert_eq!(gateway.end_of(&id).await["status"], "success");
    let read = loan(&system).await;
    let charge = &read["charges"][0];
    let (path, body) = sent(&pool, &id).await;
    assert_eq!(path, "/loans");
    assert_eq!(body, by_value(filled(&create, &read["loanProductId"])));
    let charged = &product["charges"][0];
    assert_eq!(
        body["charges"],
        by_value(json!([{ "chargeId": charged["id"], "amount": charged["amount"] }]))
    );
    assert_eq!(
        body["interestType"],
        by_value(product["interestType"]["id"].clone())
    );
    assert_eq!(charge["amount"], 2000.0, "2 % of 100,000");

    let update = recorded("loan-update", |step| {
        step["note"] == "the charge is sent again with its id"
    });
    let data = json!({ "externalId": "L", "principal": update["request"]["body"]["principal"] });
    let id = gateway.send("LOAN_UPDATE", data).await;
    assert_eq!(gateway.end_of(&id).await["status"], "success");
    let (path, body) = sent(&pool, &id).await;
    assert_eq!(path, format!("/loans/{}", read["id"]));
    let mut expected = filled(&update, &read["loanProductId"]);
    expected["charges"][0]["id"] = charge["id"].clone();
    assert_eq!(body, by_value(expected));
    let read = loan(&system).await;
    assert_eq!(read["charges"][0]["amount"], 2400.0, "2 % of 120,000");
    assert!(gateway.shut_down().await);
}

/// The client for Fineract, as a gateway's worker uses it.
fn fineract(url: &str) -> Fineract {
    let config = Config::read(|name| {
        let value = match name {
            "DATABASE_URL" => "postgres://localhost/none",
            "INTERNAL_TOKENS" => "los=secret",
            "FINERACT_URL" => url,
            "FINERACT_USER" => "mifos",
            "FINERACT_PASSWORD" => "password",
            "FINERACT_SINGLE_PROCESS" => "true",
            "FINERACT_MAKER_CHECKER" => "false",
            _ => return None,
        };
        Some(value.to_owned())
    });
    let config = config.expect("the settings are right");
    Fineract::new(&config.fineract.expect("a Fineract")).expect("a client")
}

async fn product(fineract: &Fineract, name: &str) -> Result<Product, ReadFailure> {
    let reads = Reads {
        product: Some(name.to_owned()),
        ..Reads::default()
    };
    let facts = fineract.look_up(&reads, false).await?;
    Ok(facts.product.expect("the product"))
}

/// The amount of the first charge of DMI.
async fn charge(fineract: &Fineract) -> String {
    let product = product(fineract, "DMI").await.expect("the product");
    product.charges[0].amount.to_string()
}

/// A fake that knows the recorded product, and the numbers and names of two products.
async fn fake() -> FakeFineract {
    let fake = FakeFineract::start().await;
    fake.reads(
        "/loanproducts",
        r#"200 [{"id":2,"name":"UGRO"},{"id":3,"name":"DMI"}]"#,
    );
    charges(&fake, "2.000000");
    fake
}

/// From now on, the fake's product has this charge.
fn charges(fake: &FakeFineract, amount: &str) {
    let mut product = recorded_product();
    product["id"] = json!(3);
    let product = product.to_string();
    let recorded = r#""amount":2.0,"#;
    assert!(product.contains(recorded), "{product}");
    let product = product.replace(recorded, &format!(r#""amount":{amount},"#));
    fake.reads("/loanproducts/3", &format!("200 {product}"));
}

#[tokio::test]
async fn the_product_is_read_by_its_number_and_kept_until_fineract_starts_anew() {
    let fake = fake().await;
    let fineract = fineract(&fake.url());
    assert_eq!(charge(&fineract).await, "2.000000");
    assert_eq!(fake.pages(), ["/loanproducts", "/loanproducts/3"]);
    charges(&fake, "3.000000");
    assert_eq!(charge(&fineract).await, "2.000000");
    assert_eq!(fake.pages().len(), 2, "{:?}", fake.pages());

    // A process that already ran when the product was read causes no new read.
    for (started_at, amount) in [(NOW - 1_000, "2.000000"), (NOW, "3.000000")] {
        let metrics = format!("200 process_start_time_seconds {started_at}.0\n");
        fake.reads(METRICS, &metrics);
        assert!(fineract.uptime().await.is_some());
        assert_eq!(charge(&fineract).await, amount, "{started_at}");
    }

    // An answer with a failure causes no new read either. A connection that broke off does.
    charges(&fake, "4.000000");
    for (paymenttypes, amount) in [("500 {}", "3.000000"), ("close", "4.000000")] {
        fake.reads("/paymenttypes", paymenttypes);
        assert!(!fineract.probe().await);
        assert_eq!(charge(&fineract).await, amount, "{paymenttypes}");
    }
}

#[tokio::test]
async fn a_fineract_that_cannot_be_reached_is_not_taken_for_the_same_when_it_is_back() {
    let sandbox = ServedSandbox::start(Sandbox::new()).await;
    let known = fineract(&sandbox.url());
    assert_eq!(charge(&known).await, "2.000000");
    drop(sandbox);
    eventually("the sandbox is gone", async || !known.probe().await).await;
    let failed = product(&known, "DMI").await.expect_err("nobody answers");
    assert!(matches!(failed, ReadFailure::NoAnswer(_)), "{failed:?}");
}

#[tokio::test]
async fn a_product_that_is_gone_or_renamed_meanwhile_is_missing() {
    let fake = fake().await;
    let fineract = fineract(&fake.url());
    let other = recorded_product()
        .to_string()
        .replace(r#""name":"DMI""#, r#""name":"OLD""#);
    let other = other.replace("\"{{product.DMI}}\"", "3");
    let gone = crate::fake_fineract::refusal(404, "error.msg.loanproduct.id.invalid");
    for (name, answer) in [
        ("DMI", format!("200 {other}")),
        ("DMI", gone),
        ("NONE", String::new()),
    ] {
        fake.reads("/loanproducts/3", &answer);
        let missing = product(&fineract, name).await;
        assert!(
            matches!(missing, Err(ReadFailure::Missing(Subject::Product))),
            "{missing:?}"
        );
    }
    // A product without its charges is an entry of the list, not a product that was read by its number.
    let mut listed = recorded_product();
    listed
        .as_object_mut()
        .expect("an object")
        .shift_remove("charges");
    let listed = listed.to_string().replace("\"{{product.DMI}}\"", "3");
    fake.reads("/loanproducts/3", &format!("200 {listed}"));
    let unreadable = product(&fineract, "DMI").await;
    assert!(
        matches!(unreadable, Err(ReadFailure::Unreadable(Subject::Product))),
        "{unreadable:?}"
    );
}
