//! `include_balances`: the only bulk request for which the gateway reads Fineract.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::Bulk;
use crate::{
    fake_fineract::FakeFineract,
    support::{
        fixtures::{client_create, loan_approve, loan_create, loan_disburse},
        system::System,
    },
};

#[sqlx::test]
async fn account_details_are_what_fineract_says_now(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let bulk = Bulk::new(gateway.address);
    let mut wrong = client_create("W");
    wrong["data"]["firstname"] = json!("");
    let body = json!({
        "reference_id": "r", "accept": "valid",
        "operations": [client_create("C"), loan_create("L", "C"), loan_approve("L"), loan_disburse("L"), loan_create("L2", "C"), loan_approve("NONE"), wrong]
    });
    let answer = bulk.send("schedule", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    bulk.end_of("r").await;
    let query = json!({ "reference_id": "r", "include_balances": true });

    let answer = bulk.send("status", &query).await;

    assert_eq!(answer.header("warning"), "");
    // The digits are exactly those of Fineract.
    let figures = r#""currency":"INR","principal_disbursed":100000.000000,"principal_outstanding":100000.000000"#;
    assert!(answer.text.contains(figures), "{}", answer.text);
    let answer = answer.json();
    let details = |row: usize| &answer["data"]["records"][row]["account_details"];
    let lent = &details(1)[0];
    assert_eq!(lent["external_id"], "L");
    assert_eq!(lent["status"], "Active");
    assert_eq!(lent["currency"], "INR");
    assert!(lent["total_outstanding"].is_number());
    assert_eq!(details(2), details(1));
    let pending = &details(4)[0];
    assert_eq!(pending["status"], "Submitted and pending approval");
    assert_eq!(pending["principal_disbursed"], Value::Null);
    let accounts = details(0).as_array().unwrap();
    let names: Vec<_> = accounts
        .iter()
        .map(|account| account["external_id"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["L", "L2"]);
    // The loan of one row does not exist, and the other row never ran.
    assert_eq!(details(5), &json!([]));
    assert_eq!(details(6), &json!([]));

    for method in ["/loans", "/clients"] {
        system
            .fault(json!({"match": {"method": "GET", "path": method}, "fault": "reset_before"}))
            .await;
    }
    let answer = bulk.send("status", &query).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(
        answer
            .header("warning")
            .starts_with("199 fineract-gateway \""),
        "{}",
        answer.header("warning")
    );
    assert_eq!(
        answer.json()["data"]["records"][1]["account_details"],
        Value::Null
    );
    assert!(answer.text.contains(r#""account_details":null"#));
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn balances_take_only_what_no_write_takes(pool: PgPool) {
    let fineract = FakeFineract::start().await;
    fineract.answers("/clients", &[r#"hold 200 {"clientId":1,"resourceId":1}"#]);
    fineract.reads("/clients/external-id/A/accounts", "200 {}");
    let mut system = System::start(&pool).await;
    system.set("FINERACT_URL", &fineract.url());
    system.set("FINERACT_MAX_IN_FLIGHT", "1");
    system.set("FINERACT_TIMEOUT_SECONDS", "30");
    system.set("WORKER_LEASE_SECONDS", "40");
    let gateway = system.gateway().await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("r", vec![client_create("A")]).await;
    fineract.until_commands(1).await;
    let query = json!({ "reference_id": "r", "include_balances": true });

    let answer = bulk.send("status", &query).await;

    let was_read = |fineract: &FakeFineract| {
        let pages = fineract.pages();
        pages.iter().any(|page| page.contains("/accounts"))
    };
    assert!(!was_read(&fineract), "{:?}", fineract.pages());
    assert_ne!(answer.header("warning"), "");
    assert!(answer.text.contains(r#""account_details":null"#));

    fineract.release();
    bulk.end_of("r").await;
    let answer = bulk.send("status", &query).await;
    assert!(was_read(&fineract));
    assert!(answer.text.contains(r#""account_details":[]"#));
    assert!(gateway.shut_down().await);
}
