//! The gateway sends a command again only if the numbers in it still refer to the same objects.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    outcomes::Bench,
    support::{
        OPS_TOKEN,
        fixtures::{self, client, show_loan, shown_approved},
        operators::Operator,
    },
};

const PRODUCT: &str = r#"200 {"id":2,"name":"UGRO","amortizationType":{"id":1},"interestType":{"id":0},
    "interestCalculationPeriodType":{"id":1},"allowPartialPeriodInterestCalculation":false,
    "transactionProcessingStrategyCode":"mifos-standard-strategy","isEqualAmortization":false,
    "multiDisburseLoan":false,"disallowExpectedDisbursements":false,
    "charges":[{"id":3,"name":"Processing fee","amount":2.0,"chargeTimeType":{"id":1}}]}"#;
const PAYMENT_TYPES: &str = r#"200 [{"id":4,"name":"UTR"}]"#;
const OFFICES: &str = r#"200 [{"id":1,"name":"Head Office"}]"#;
const BORROWER: &str = r#"200 {"id":7,"externalId":"C-1","officeId":1,"timeline":{}}"#;

/// All objects to which commands refer by number: the path by which each is read, and the answer.
fn books() -> [(&'static str, String); 7] {
    let list = r#"200 [{"id":2,"name":"UGRO"}]"#;
    [
        ("/loans/9$", shown_approved("gateway")),
        ("/clients/7", BORROWER.to_owned()),
        ("/clients/external-id/C-1", BORROWER.to_owned()),
        ("/loanproducts", list.to_owned()),
        ("/loanproducts/2", PRODUCT.to_owned()),
        ("/paymenttypes", PAYMENT_TYPES.to_owned()),
        ("/offices", OFFICES.to_owned()),
    ]
}

/// A bench with these objects and with an operator.
async fn bench(pool: PgPool) -> Bench {
    let mut bench = Bench::start(pool).await;
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    bench.system.set("FINERACT_PAYMENT_TYPE", "UTR");
    bench.system.set("LENDERS", "UGRO");
    show_loan(&bench.fake, &shown_approved("gateway"));
    for (path, answer) in books() {
        bench.fake.reads(path, &answer);
    }
    bench
}

fn disburse() -> Value {
    let mut data = fixtures::disburse("L-1");
    data["utr_payment_id"] = json!("U-1");
    data
}

/// Sends an operation whose command is not answered. Then replaces `from` by `to` in the answer for the object: the
/// command must not be sent again. Then restores the answer and retries: the same command is sent again.
async fn is_not_sent_to_another(
    pool: PgPool,
    (operation_type, data): (&str, Value),
    (path, from, to): (&'static str, &str, &str),
) {
    let bench = bench(pool).await;
    bench.fake.answers("/", &["close"]);
    let gateway = bench.gateway().await;
    let id = gateway.send(operation_type, data).await;
    bench.fake.until_commands(1).await;
    let (_, before) = books()
        .into_iter()
        .find(|(known, _)| *known == path)
        .unwrap();
    assert!(before.contains(from), "{before}");
    bench.fake.reads(path, &before.replace(from, to));
    bench
        .eventually(&id, "parked", "number_means_another")
        .await;
    assert_eq!(bench.fake.commands().len(), 1);

    bench.fake.reads(path, &before);
    let answer = Operator::of(gateway.address).act(&id, "retry").await;
    assert!(answer.status.is_success(), "{}", answer.text);
    bench.until_commands(2).await;
    let commands = bench.fake.commands();
    assert_eq!(commands[0], commands[1]);
}

#[sqlx::test]
async fn a_payout_is_not_sent_to_another_loan(pool: PgPool) {
    let other = ("/loans/9$", "L-1", "L-2");
    is_not_sent_to_another(pool, ("LOAN_DISBURSE", disburse()), other).await;
}

/// The gateway's lanes are case-folded, but Fineract's external ids are not.
#[sqlx::test]
async fn an_approval_is_not_sent_to_a_loan_of_another_case(pool: PgPool) {
    let approval = ("LOAN_APPROVE", fixtures::approve("L-1"));
    is_not_sent_to_another(pool, approval, ("/loans/9$", "L-1", "l-1")).await;
}

#[sqlx::test]
async fn an_update_is_not_sent_to_another_client(pool: PgPool) {
    let update = ("CLIENT_UPDATE", fixtures::rename("C-1"));
    is_not_sent_to_another(pool, update, ("/clients/7", "C-1", "C-2")).await;
}

#[sqlx::test]
async fn an_application_is_not_filed_for_another_client(pool: PgPool) {
    let create = ("LOAN_CREATE", fixtures::loan("L-2", "C-1"));
    is_not_sent_to_another(pool, create, ("/clients/7", "C-1", "C-2")).await;
}

#[sqlx::test]
async fn an_application_is_not_filed_under_another_product(pool: PgPool) {
    let create = ("LOAN_CREATE", fixtures::loan("L-2", "C-1"));
    is_not_sent_to_another(pool, create, ("/loanproducts/2", "UGRO", "GB")).await;
}

#[sqlx::test]
async fn an_application_is_not_filed_with_another_charge(pool: PgPool) {
    let create = ("LOAN_CREATE", fixtures::loan("L-2", "C-1"));
    let other = ("/loanproducts/2", "Processing fee", "Insurance");
    is_not_sent_to_another(pool, create, other).await;
}

#[sqlx::test]
async fn a_payout_is_not_sent_with_another_payment_type(pool: PgPool) {
    let other = ("/paymenttypes", "UTR", "Cash");
    is_not_sent_to_another(pool, ("LOAN_DISBURSE", disburse()), other).await;
}

#[sqlx::test]
async fn a_client_is_not_created_in_another_office(pool: PgPool) {
    let create = ("CLIENT_CREATE", client("C-9"));
    is_not_sent_to_another(pool, create, ("/offices", "Head Office", "Branch")).await;
}

/// If the object cannot be read, the gateway reads it again later, and then sends the same key.
#[sqlx::test]
async fn what_cannot_be_read_is_not_sent_to(pool: PgPool) {
    let bench = bench(pool).await;
    bench.fake.answers("/", &["close"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", fixtures::approve("L-1")).await;
    bench.fake.until_commands(1).await;
    bench.fake.reads("/loans/9$", "503 ");
    bench.eventually(&id, "ready", "number_unread").await;
    assert_eq!(bench.fake.commands().len(), 1);
    bench.fake.reads("/loans/9$", &shown_approved("gateway"));
    bench.until_commands(2).await;
    assert_eq!(bench.fake.keys(), [1, 1]);
}

/// The back office gave a client another external id. The gateway sends the command again only after an operator has
/// confirmed that the number still means this client.
#[sqlx::test]
async fn an_operator_confirms_what_a_number_means(pool: PgPool) {
    let bench = bench(pool).await;
    bench.fake.answers(
        "/clients/7",
        &["close", r#"200c {"clientId":7,"resourceId":7}"#],
    );
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_UPDATE", fixtures::rename("C-1")).await;
    bench.fake.until_commands(1).await;
    bench
        .fake
        .reads("/clients/7", &BORROWER.replace("C-1", "C-1-renamed"));
    bench
        .eventually(&id, "parked", "number_means_another")
        .await;

    let operator = Operator::of(gateway.address);
    for (path, body, status) in [
        ("/lanes/client%3Ac-1/number", json!({ "number": 7 }), 422),
        (
            "/lanes/client%3Ac-1/number",
            json!({ "number": 7, "external_id": "", "reason": " " }),
            422,
        ),
        (
            "/lanes/client%3Anobody/number",
            json!({ "number": 7, "external_id": "C-1-renamed", "reason": "Renamed" }),
            404,
        ),
        // In the first confirmation the number is wrong, and in the second the external id.
        (
            "/lanes/client%3Ac-1/number",
            json!({ "number": 8, "external_id": "C-1-renamed", "reason": "Renamed" }),
            200,
        ),
        (
            "/lanes/client%3Ac-1/number",
            json!({ "number": 7, "external_id": "C-2", "reason": "Renamed" }),
            200,
        ),
    ] {
        let answer = operator.post(path, &body).await;
        assert_eq!(answer.status, status, "{body} {}", answer.text);
        bench
            .eventually(&id, "parked", "number_means_another")
            .await;
    }
    assert_eq!(bench.fake.commands().len(), 1);

    let meant =
        json!({ "number": 7, "external_id": "C-1-renamed", "reason": "Renamed by the branch" });
    let answer = operator.post("/lanes/client%3Ac-1/number", &meant).await;
    assert_eq!(
        answer.json(),
        json!({ "lane": "client:c-1", "number": 7, "released": 1 })
    );
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(bench.fake.keys(), [1, 1]);
    let reason = sqlx::query_scalar!(
        "SELECT detail->>'reason' FROM audit WHERE action = 'confirm_number' ORDER BY id DESC LIMIT 1",
    );
    let reason = reason.fetch_one(&bench.pool).await.unwrap();
    let reason = reason.as_deref();
    assert_eq!(reason, Some("Renamed by the branch"));
}

/// An older gateway stored no referents with its attempt. So the object is compared with the operation's lane.
#[sqlx::test]
async fn what_an_older_gateway_sent_is_compared_with_its_lane(pool: PgPool) {
    let bench = bench(pool).await;
    bench.fake.answers("/", &["close"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse()).await;
    bench.fake.until_commands(1).await;
    bench.eventually(&id, "ready", "connection_closed").await;
    sqlx::query!("UPDATE attempt SET referents = NULL")
        .execute(&bench.pool)
        .await
        .unwrap();
    let (_, before) = books().into_iter().next().unwrap();
    bench.fake.reads("/loans/9$", &before.replace("L-1", "L-2"));
    bench
        .eventually(&id, "parked", "number_means_another")
        .await;
    assert_eq!(bench.fake.commands().len(), 1);
}
