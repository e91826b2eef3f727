//! Repayment, reject, withdraw and the undos, from POST to Fineract and back.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    OPS_TOKEN,
    fixtures::{approve, disburse, of_loan, repayment},
    operators::Operator,
    system::System,
};

fn reject(loan_id: &str) -> Value {
    json!({ "external_loan_id": loan_id, "rejectedOnDate": "11 January 2026", "note": "no" })
}

fn undo(loan_id: &str) -> Value {
    of_loan(loan_id)
}

fn keys(body: &Value) -> Vec<String> {
    body.as_object().unwrap().keys().cloned().collect()
}

const STATE_KEYS: [&str; 6] = [
    "officeId",
    "clientId",
    "loanId",
    "resourceId",
    "changes",
    "resourceExternalId",
];

#[sqlx::test]
async fn each_succeeds_with_the_keys_as_recorded(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    for loan_id in ["L-1", "L-2", "L-3"] {
        gateway.file(loan_id).await;
    }
    let before = system.ledger().await.len();

    let rejected = gateway.succeeds("LOAN_REJECT", reject("L-1")).await;
    assert_eq!(keys(&rejected), STATE_KEYS);
    assert_eq!(rejected["changes"]["status"]["id"], 500);
    let withdraw = json!({ "external_loan_id": "L-2", "withdrawnOnDate": "11 January 2026" });
    let withdrawn = gateway.succeeds("LOAN_WITHDRAW", withdraw).await;
    assert_eq!(withdrawn["changes"]["status"]["id"], 400);
    gateway.succeeds("LOAN_APPROVE", approve("L-3")).await;
    let undone = gateway.succeeds("LOAN_UNDO_APPROVAL", undo("L-3")).await;
    assert_eq!(keys(&undone), STATE_KEYS);
    assert_eq!(undone["changes"]["status"]["id"], 100);
    gateway.succeeds("LOAN_APPROVE", approve("L-3")).await;
    gateway.succeeds("LOAN_DISBURSE", disburse("L-3")).await;
    let id = gateway
        .send("LOAN_REPAYMENT", repayment("L-3", 8700.25))
        .await;
    let repaid = gateway.end_of(&id).await["success_response"].clone();
    assert_eq!(keys(&repaid), STATE_KEYS);
    assert_eq!(repaid["changes"]["transactionAmount"], "8700.25");
    assert_eq!(
        repaid["resourceExternalId"],
        id.split_once('|').unwrap().1,
        "the repayment's own external id"
    );
    let taken_back = gateway.succeeds("LOAN_UNDO_DISBURSAL", undo("L-3")).await;
    assert_eq!(taken_back["changes"]["status"]["id"], 200);

    let ledger = system.ledger().await;
    let actions: Vec<_> = ledger[before..]
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "REJECT",
            "WITHDRAW",
            "APPROVE",
            "APPROVALUNDO",
            "APPROVE",
            "DISBURSE",
            "REPAYMENT",
            "DISBURSALUNDO"
        ]
    );
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn a_repayment_is_booked_once_whatever_becomes_of_the_answer(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("FINERACT_STUCK_AFTER_SECONDS", "1");
    let gateway = system.gateway().await;
    gateway.pay_out("L").await;
    for mut fault in [
        json!({ "fault": "reset_before" }),
        json!({ "fault": "reset_after" }),
        json!({ "fault": "status_502_after" }),
        json!({ "fault": "truncated_after" }),
        json!({ "fault": "garbage_after" }),
        json!({ "fault": "status_500" }),
        json!({ "fault": "conflict_409" }),
        json!({ "fault": "delivered_twice" }),
        json!({ "fault": "stuck", "effect": false }),
        json!({ "fault": "stuck", "effect": true }),
    ] {
        fault["match"] = json!({ "method": "POST", "command": "repayment" });
        fault["times"] = json!(1);
        system.fault(fault.clone()).await;
        let before = system.ledger().await.len();
        let id = gateway.send("LOAN_REPAYMENT", repayment("L", 100.25)).await;
        let end = gateway.end_of(&id).await;
        assert_eq!(end["status"], "success", "{fault}: {end}");
        let booked: Vec<_> = system.ledger().await.split_off(before);
        assert_eq!(booked.len(), 1, "{fault}: {booked:?}");
        assert_eq!(
            booked[0]["transactionExternalId"],
            id.split_once('|').unwrap().1
        );
    }
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn a_reference_repays_a_loan_once(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    gateway.pay_out("L").await;
    let mut data = repayment("L", 100.0);
    data["utr_payment_id"] = json!("UTR-R1");
    let first = gateway.send("LOAN_REPAYMENT", data.clone()).await;
    let second = gateway.run("LOAN_REPAYMENT", data.clone()).await;
    assert_eq!(
        second["error_message"],
        format!("Not sent: this utr_payment_id was used for the loan by {first}")
    );
    assert_eq!(gateway.end_of(&first).await["status"], "success");
    data["utr_payment_id"] = json!("UTR-R2");
    gateway.succeeds("LOAN_REPAYMENT", data).await;
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn those_behind_a_failed_undo_fall_and_those_behind_a_failed_rejection_do_not(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    gateway.file("L").await;
    // The loan is not approved, so there is nothing to undo.
    let undo_id = gateway.send("LOAN_UNDO_APPROVAL", undo("L")).await;
    let behind = gateway.send("LOAN_APPROVE", approve("L")).await;
    let fallen = gateway.end_of(&behind).await;
    assert_eq!(
        fallen["error_message"],
        format!("Not sent: {undo_id}, on which it depends, failed")
    );
    let mut early = reject("L");
    early["rejectedOnDate"] = json!("10 January 2026");
    let rejection = gateway.send("LOAN_REJECT", early).await;
    let behind = gateway.send("LOAN_APPROVE", approve("L")).await;
    assert_eq!(gateway.end_of(&behind).await["status"], "success");
    assert_eq!(
        gateway.end_of(&rejection).await["failure_response"]["errors"][0]["userMessageGlobalisationCode"],
        "error.msg.loan.reject.cannot.be.before.submittal.date"
    );
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn an_undo_that_cannot_be_told_is_left_to_a_person(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("FINERACT_STUCK_AFTER_SECONDS", "1");
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    let gateway = system.gateway().await;
    gateway.file("L").await;
    gateway.succeeds("LOAN_APPROVE", approve("L")).await;
    let before = system.ledger().await.len();
    let fault = json!({ "match": { "method": "POST", "command": "undoapproval" },
                        "fault": "stuck", "effect": true, "times": 1 });
    system.fault(fault).await;
    let id = gateway.send("LOAN_UNDO_APPROVAL", undo("L")).await;
    let operator = Operator::of(gateway.address);
    operator.in_state(&id, "parked").await;
    assert_eq!(
        operator.inspect(&id).await["reason_code"],
        "undo_leaves_no_trace"
    );
    assert_eq!(system.ledger().await.len(), before + 1);

    // Fineract does not show whose undo it was, so it does not contradict the operator.
    let ended = operator.resolved(&id, "succeeded").await;
    assert_eq!(ended["state"], "succeeded");
    let end = gateway.end_of(&id).await;
    assert_eq!(
        end["success_response"],
        json!({ "loanId": 1, "resourceId": 1 })
    );
    gateway.succeeds("LOAN_APPROVE", approve("L")).await;
    assert!(gateway.shut_down().await);
}
