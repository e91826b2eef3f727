//! `include_balances`: the one request that reads Fineract.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Bulk, approve, client, disburse, loan};
use crate::support::system::System;

#[sqlx::test]
async fn account_details_are_what_fineract_says_now(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let bulk = Bulk::new(gateway.address);
    let mut wrong = client("W");
    wrong["data"]["firstname"] = json!("");
    let body = json!({
        "reference_id": "r", "accept": "valid",
        "operations": [client("C"), loan("L", "C"), approve("L"), disburse("L"), loan("L2", "C"), approve("NONE"), wrong]
    });
    let answer = bulk.send("schedule", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    bulk.end_of("r").await;
    let query = json!({ "reference_id": "r", "include_balances": true });

    let answer = bulk.send("status", &query).await;

    assert_eq!(answer.header("warning"), "");
    // Fineract's own digits.
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
    // A loan that is not there, and a row that never ran.
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
