//! `fineract-gateway erase`: people's data of a client and its loans goes, for ever.

mod rest;
mod retries;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    retention::age_and_archive,
    support::{
        API_KEY, TestGateway,
        command::{Ended, run},
        database::url,
        fixtures::{
            approve, client_create, client_create_with_contacts, disburse, done, loan, loan_create,
            loan_disburse, repayment,
        },
        operators::{leave_attempt, uuid},
        system::System,
    },
};

pub(crate) async fn erase(pool: &PgPool, client: &str) -> Ended {
    let url = url(pool);
    let arguments = ["erase", "--client", client, "--reason", "request 7"];
    run(&arguments, &[("DATABASE_URL", &url)]).await
}

/// The tables that contain a text in any column.
async fn tables_with(pool: &PgPool, text: &str) -> Vec<String> {
    let tables = sqlx::query_scalar!(
        r#"SELECT relname::text AS "name!"
             FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
              AND (xpath('/row/count/text()', query_to_xml(format(
                      'SELECT count(*) FROM %I t WHERE t::text ILIKE %L', relname, '%' || $1::text || '%'),
                      false, true, '')))[1]::text::int > 0
            ORDER BY 1"#,
        text
    );
    tables.fetch_all(pool).await.expect("the database is there")
}

/// What the gateway shows of a payment.
fn shown(transaction: &Value) -> Value {
    json!([
        transaction["amount"],
        transaction["merchant_reference"],
        transaction["status"]
    ])
}

/// A client with contacts, and a loan that was paid out and repaid, by a gateway with a sandbox.
async fn tell(pool: &PgPool) -> (String, String) {
    let mut system = System::start(pool).await;
    system.set("API_KEYS", &format!("lender={API_KEY}"));
    let gateway = system.gateway().await;
    let mut client = client_create_with_contacts("C")["data"].take();
    client["firstname"] = json!("Jayesh");
    let created = gateway.run("CLIENT_CREATE", client).await;
    assert_eq!(created["status"], "success", "{created}");
    for (name, data) in [
        ("LOAN_CREATE", loan("L", "C")),
        ("LOAN_APPROVE", approve("L")),
        ("LOAN_DISBURSE", disburse("L")),
    ] {
        let end = gateway.run(name, data).await;
        assert_eq!(end["status"], "success", "{end}");
    }
    let mut data = repayment("L", 10.0);
    data["utr_payment_id"] = json!("UTR-1");
    data["note"] = json!("Jayesh paid at the counter");
    let paid = gateway.run("LOAN_REPAYMENT", data).await;
    assert_eq!(paid["status"], "success", "{paid}");
    let id = paid["tracking_id"].as_str().expect("an id").to_owned();
    let refused = gateway.run("CLIENT_UPDATE", json!({ "externalId": "C", "firstname": "Jayesh", "activationDate": "01 January 2099" })).await;
    assert_eq!(refused["status"], "failed", "{refused}");
    let transaction = gateway.transaction(&uuid(&id).to_string(), API_KEY).await;
    (id, shown(&transaction).to_string())
}

#[sqlx::test]
async fn nothing_of_people_is_left_and_the_books_stay(pool: PgPool) {
    let (id, before) = tell(&pool).await;
    let found = tables_with(&pool, "jayesh").await;
    assert_eq!(
        found,
        ["attempt", "payload", "result"],
        "the search finds it"
    );
    let erased = erase(&pool, "C").await;
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert_eq!(
        erased.stdout,
        "6 operations of the client and of 1 loans were erased, and 0 refused rows of batches\n"
    );
    for text in ["jayesh", "9966999999", "@example.com"] {
        assert_eq!(tables_with(&pool, text).await, [""; 0], "{text}");
    }
    let gateway = TestGateway::start(pool.clone()).await;
    let request = gateway.request(
        reqwest::Method::GET,
        &format!("/transactions/{}", uuid(&id)),
    );
    let request = request.header("Authorization", format!("Token {API_KEY}"));
    let after = crate::support::Answer::of(request).await.json();
    assert_eq!(shown(&after).to_string(), before);
    assert_eq!(gateway.track(&id).await["status"], "success");
    let audit =
        sqlx::query!(r#"SELECT operator, action, reason, detail::text AS "detail!" FROM audit"#);
    let audit = audit.fetch_one(&pool).await.expect("one row");
    assert_eq!(
        (audit.operator.as_str(), audit.action.as_str()),
        ("the command line", "erase")
    );
    assert_eq!(audit.reason.as_deref(), Some("request 7"));
    let detail: Value = serde_json::from_str(&audit.detail).expect("JSON");
    assert_eq!(
        detail,
        json!({ "lane": "client:c", "operations": 6, "loans": 1 })
    );
    let again = erase(&pool, "C").await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
}

#[sqlx::test]
async fn what_is_archived_is_erased_too(pool: PgPool) {
    tell(&pool).await;
    assert_eq!(age_and_archive(&pool).await, 6);
    assert!(!tables_with(&pool, "jayesh").await.is_empty());
    let erased = erase(&pool, "c").await;
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    for text in ["jayesh", "9966999999", "@example.com"] {
        assert_eq!(tables_with(&pool, text).await, [""; 0], "{text}");
    }
    let again = erase(&pool, "C").await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
}

#[sqlx::test]
async fn a_client_with_something_open_is_refused_by_name(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let unknown = erase(&pool, "C").await;
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("there is no such client"),
        "{}",
        unknown.stderr
    );
    let client = gateway.accept(&client_create_with_contacts("C")).await;
    gateway.end_next(done()).await;
    gateway.accept(&loan_create("L", "C")).await;
    gateway.end_next(done()).await;
    let open = gateway.accept(&loan_disburse("L")).await;
    gateway.accept(&client_create("D")).await;
    let before = tables_with(&pool, "9966999999").await;
    assert_eq!(before, ["payload"]);
    let refused = erase(&pool, "C").await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains(&open), "{}", refused.stderr);
    assert_eq!(tables_with(&pool, "9966999999").await, before);

    // Fineract may still execute a command of the client.
    gateway.end_next(done()).await;
    leave_attempt(&pool, &client).await;
    let refused = erase(&pool, "C").await;
    assert!(refused.stderr.contains(&client), "{}", refused.stderr);
    assert!(!refused.stderr.contains(&open), "{}", refused.stderr);
    assert_eq!(tables_with(&pool, "9966999999").await, before);
}
