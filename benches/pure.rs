//! Benchmarks of the pure code that runs for every operation: `cargo bench`.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up should fail"
)]

use std::{hint::black_box, time::Duration};

use divan::Bencher;
use fineract_gateway::{
    domain::{
        Amount, Answer, Client, Facts, OperationId, OperationType, Product, Reply, State,
        TrackingId,
        decision::{self, History, Patience},
    },
    http::TrackBody,
    operations::{Context, Deployment, Entry, entry},
    store::Tracked,
};
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

const CLIENT_CREATE: &str = r#"{"firstname":"Jayesh","lastname":"Badgujar","externalId":"INC-1001",
    "mobileNo":"9966999999","emailAddress":"jayesh@example.com","activationDate":"01 January 2026"}"#;
const LOAN_CREATE: &str = r#"{"lenderConfig":"UGRO","externalId":"L-1","principal":100000.10,
    "submittedOnDate":"11 January 2026","loanTermFrequency":12,"numberOfRepayments":12,
    "interestRatePerPeriod":8.25,"clientId":"INC-1001"}"#;
const CLIENT: &str =
    r#"{"id":42,"externalId":"INC-1001","officeId":1,"activationDate":[2026,1,1],"timeline":{}}"#;
const SUCCESS: &str =
    r#"{"officeId":1,"clientId":42,"resourceId":42,"resourceExternalId":"INC-1001"}"#;
const REFUSAL: &str = r#"{"developerMessage":"x","httpStatusCode":"403","defaultUserMessage":"x",
    "userMessageGlobalisationCode":"validation.msg.domain.rule.violation","errors":[{"developerMessage":"x",
    "defaultUserMessage":"x","userMessageGlobalisationCode":"error.msg.client.duplicate.externalId",
    "parameterName":"externalId","value":"INC-1001","args":[{"value":"INC-1001"}]}]}"#;
const RECORDED: &str = include_str!("../crates/fineract-sandbox/src/products.json");
const ID: OperationId = OperationId(Uuid::from_u128(0x019b_76da_a800_7000_8000_0000_0000_0001));

fn main() {
    divan::main();
}

fn deployment() -> Deployment {
    Deployment {
        office_id: 1,
        payment_type: None,
        lenders: vec![("UGRO".to_owned(), "UGRO".to_owned())],
    }
}

/// A product as Fineract returns it.
fn product() -> String {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    recorded.pointer("/products/DMI").unwrap().to_string()
}

fn type_and_payload(
    operation_type: OperationType,
    payload: &str,
) -> (&'static Entry, Box<RawValue>) {
    let payload = RawValue::from_string(payload.to_owned()).unwrap();
    (entry(operation_type).unwrap(), payload)
}

#[divan::bench(args = [OperationType::ClientCreate, OperationType::LoanCreate])]
fn payload_check(bencher: Bencher<'_, '_>, operation_type: OperationType) {
    let payload = if operation_type == OperationType::ClientCreate {
        CLIENT_CREATE
    } else {
        LOAN_CREATE
    };
    let (entry, payload) = type_and_payload(operation_type, payload);
    let deployment = deployment();
    bencher.bench(|| (entry.check)(black_box(&payload), &deployment).unwrap());
}

#[divan::bench]
fn decimal_passing() -> String {
    let amount = Amount::from_json_number(black_box("100000.10")).unwrap();
    serde_json::to_string(&amount).unwrap()
}

#[divan::bench]
fn json_of_a_product(bencher: Bencher<'_, '_>) {
    let product = product();
    bencher.bench(|| Product::parse(black_box(&product)).unwrap());
}

#[divan::bench]
fn plan_of_a_loan(bencher: Bencher<'_, '_>) {
    let (entry, payload) = type_and_payload(OperationType::LoanCreate, LOAN_CREATE);
    let deployment = deployment();
    let facts = Facts {
        client: Some(Client::parse(CLIENT).unwrap()),
        product: Some(Product::parse(&product()).unwrap()),
        ..Facts::default()
    };
    let context = Context {
        id: ID,
        deployment: &deployment,
        users: vec!["mifos"],
        known_id: None,
        same_reference: None,
        sent: None,
        checked: false,
    };
    bencher.bench(|| (entry.plan)(black_box(&payload), &facts, &context).unwrap());
}

#[divan::bench(args = [200, 403])]
fn decision(bencher: Bencher<'_, '_>, status: u16) {
    let body = if status == 200 { SUCCESS } else { REFUSAL };
    let reply = Reply::Answer(Answer {
        status,
        cached: false,
        body: body.to_owned(),
        retry_after: None,
    });
    let patience = Patience {
        stuck_after: Duration::from_mins(5),
    };
    bencher.bench(|| decision::decide(black_box(&reply), &History::new(&[]), patience));
}

#[divan::bench]
fn track_rendering(bencher: Bencher<'_, '_>) {
    let id = TrackingId {
        operation_type: OperationType::ClientCreate,
        id: ID,
    };
    let tracked = Tracked {
        state: State::Succeeded,
        success: Some(SUCCESS.to_owned()),
        failure: None,
        message: None,
        ended_at: "2026-01-11T10:00:00.123456Z".parse().ok(),
    };
    bencher
        .with_inputs(|| tracked.clone())
        .bench_values(|tracked| serde_json::to_vec(&TrackBody::of(id, tracked)).unwrap());
}
