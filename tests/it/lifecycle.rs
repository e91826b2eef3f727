//! Operations from POST to Fineract and back.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    eventually::eventually,
    fixtures::{approve, client, disburse, loan, loan_from, of_loan},
    system::System,
};

#[sqlx::test]
async fn the_documents_lifecycle_succeeds_step_by_step(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;

    let end = gateway.run("CLIENT_CREATE", client("INC-1001")).await;
    let keys: Vec<_> = end.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        keys,
        [
            "tracking_id",
            "operation_type",
            "status",
            "success_response",
            "failure_response",
            "error_message",
            "processed_at"
        ]
    );
    assert_eq!(end["status"], "success");
    assert_eq!(
        end["success_response"],
        json!({"officeId": 1, "clientId": 1, "resourceId": 1, "resourceExternalId": "INC-1001"})
    );
    let update =
        json!({ "externalId": "INC-1001", "lastname": "Badgu", "emailAddress": "j@ex.com" });
    let updated = gateway.succeeds("CLIENT_UPDATE", update).await;
    assert_eq!(updated["changes"]["lastname"], "Badgu");
    gateway
        .succeeds("LOAN_CREATE", loan("LOAN-123", "INC-1001"))
        .await;
    let update = json!({ "externalId": "LOAN-123", "principal": 200_000, "loanTermFrequency": 24,
                         "numberOfRepayments": 24, "interestRatePerPeriod": 8.3 });
    gateway.succeeds("LOAN_UPDATE", update).await;
    let approved = gateway.succeeds("LOAN_APPROVE", approve("LOAN-123")).await;
    assert_eq!(approved["changes"]["status"]["id"], 200);
    let disbursed = gateway
        .succeeds("LOAN_DISBURSE", disburse("LOAN-123"))
        .await;
    assert_eq!(disbursed["changes"]["status"]["id"], 300);
    gateway
        .succeeds("LOAN_CREATE", loan_from("DMI", "LOAN-124", "INC-1001"))
        .await;
    gateway.succeeds("LOAN_DELETE", of_loan("LOAN-124")).await;

    let ledger = system.ledger().await;
    let actions: Vec<_> = ledger
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "CREATE", "UPDATE", "CREATE", "UPDATE", "APPROVE", "DISBURSE", "CREATE", "DELETE"
        ]
    );
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn all_nine_lenders_pay_out_with_the_steps_sent_at_once(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("C")).await;
    let lenders = [
        "LIQUILOANS",
        "UGRO",
        "DMI",
        "ARTHMATE",
        "SHIVALIK",
        "VIVRITI",
        "GB",
        "IKF",
        "LENDINGKART",
    ];
    let mut last = Vec::new();
    for lender in lenders {
        let id = format!("L-{lender}");
        let mut data = loan_from(lender, &id, "C");
        if lender == "SHIVALIK" {
            data["loanTermFrequencyType"] = json!("weeks");
        }
        gateway.send("LOAN_CREATE", data).await;
        gateway.send("LOAN_APPROVE", approve(&id)).await;
        last.push((lender, gateway.send("LOAN_DISBURSE", disburse(&id)).await));
    }
    for (lender, tracking_id) in last {
        let end = gateway.end_of(&tracking_id).await;
        assert_eq!(end["status"], "success", "{lender}: {end}");
    }
    assert_eq!(system.ledger().await.len(), 1 + 3 * lenders.len());
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn those_behind_a_failed_create_fail_unsent_and_name_it(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("C")).await;
    let mut too_much = loan("L", "C");
    too_much["submittedOnDate"] = json!("11 January 2020");
    let create = gateway.send("LOAN_CREATE", too_much).await;
    let approve_id = gateway.send("LOAN_APPROVE", approve("L")).await;
    let disburse_id = gateway.send("LOAN_DISBURSE", disburse("L")).await;

    let failed = gateway.end_of(&disburse_id).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["failure_response"], Value::Null);
    assert_eq!(
        failed["error_message"],
        format!("Not sent: {create}, on which it depends, failed")
    );
    let refused = gateway.end_of(&create).await;
    assert_eq!(refused["error_message"], "Fineract returned 403");
    assert_eq!(
        refused["failure_response"]["errors"][0]["userMessageGlobalisationCode"],
        "error.msg.loan.submittal.cannot.be.before.client.activation.date"
    );
    assert_eq!(gateway.end_of(&approve_id).await["status"], "failed");

    // A caller has read the failure. So new operations do not depend on it.
    gateway.succeeds("LOAN_CREATE", loan("L", "C")).await;
    gateway.succeeds("LOAN_APPROVE", approve("L")).await;
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn a_gateway_killed_after_the_answer_leaves_nothing_undone_or_done_twice(pool: PgPool) {
    let system = System::start(&pool).await;
    let slow =
        json!({"match": {"method": "POST", "path": "/clients"}, "fault": "slow", "delay_ms": 1500});
    system.fault(slow).await;
    let mut first = system.process().await;
    let tracking_id = first.send("CLIENT_CREATE", client("C")).await;
    // The attempt is committed immediately before the command is sent.
    eventually("the command is sent", async || {
        let sent = sqlx::query_scalar!("SELECT count(*) FROM attempt")
            .fetch_one(&pool)
            .await;
        sent.unwrap() == Some(1)
    })
    .await;
    first.kill().await;
    let second = system.process().await;
    let end = second.end_of(&tracking_id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(end["success_response"]["resourceExternalId"], "C");
    assert_eq!(system.ledger().await.len(), 1);
}
