//! What track reports for each recorded refusal of Fineract that an accepted operation can get, and for refusals by the
//! gateway itself.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    caller::Caller,
    fixtures::{approve, client, disburse, loan},
    system::System,
};

/// The operation, and what track reports: Fineract's status and code, or `unsent` and a part of the gateway's message.
const CASES: &str = r#"
CLIENT_CREATE {"externalId": "E", "activationDate": "01 January 2099"} 400 error.msg.clients.activationDate.in.the.future
CLIENT_CREATE {"externalId": "E", "activationDate": "01 January 1990"} 400 error.msg.clients.activationDate.cannot.be.before.office.activation.date
CLIENT_CREATE {"externalId": "C"} 403 error.msg.client.duplicate.externalId
CLIENT_CREATE {"externalId": "E", "mobileNo": "1"} 403 error.msg.client.duplicate.mobileNo
CLIENT_UPDATE {"externalId": "NOBODY", "mobileNo": "9"} 404 error.msg.client.id.invalid
CLIENT_UPDATE {"externalId": "D", "mobileNo": "1"} 403 error.msg.client.duplicate.mobileNo
CLIENT_UPDATE {"externalId": "D", "activationDate": "01 January 2099"} 400 error.msg.clients.activationDate.in.the.future
LOAN_CREATE {"lenderConfig": "LIQUILOANS", "principal": 1} 400 validation.msg.loan.principal.amount.is.not.within.min.max.range
LOAN_CREATE {"lenderConfig": "LIQUILOANS", "loanTermFrequency": 300, "numberOfRepayments": 300} 400 validation.msg.loan.numberOfRepayments.is.not.within.expected.range
LOAN_CREATE {"lenderConfig": "LIQUILOANS", "interestRatePerPeriod": 99} 400 validation.msg.loan.interestRatePerPeriod.amount.is.not.within.min.max.range
LOAN_CREATE {"lenderConfig": "CLOSED"} 403 error.msg.loan.application.submitted.on.date.cannot.be.after.the.loan.product.close.date
LOAN_CREATE {"submittedOnDate": "11 January 2099"} 403 error.msg.loan.submittal.cannot.be.a.future.date
LOAN_CREATE {"submittedOnDate": "11 January 2020"} 403 error.msg.loan.submittal.cannot.be.before.client.activation.date
LOAN_CREATE {"externalId": "PENDING"} 403 error.msg.loan.with.externalId.already.used
LOAN_CREATE {"clientId": "NOBODY"} 404 error.msg.client.id.invalid
LOAN_UPDATE {"externalId": "APPROVED", "principal": 5} 403 error.msg.loan.cannot.modify.loan.in.its.present.state
LOAN_UPDATE {"externalId": "NOTHING", "principal": 5} 404 error.msg.loan.external.id.invalid
LOAN_UPDATE {"externalId": "PENDING", "numberOfRepayments": 7} unsent loanTermFrequency
LOAN_APPROVE {"external_loan_id": "APPROVED", "approvedOnDate": "11 January 2026"} 400 error.msg.loan.approve.account.is.not.submitted.and.pending.state
LOAN_APPROVE {"external_loan_id": "PENDING", "approvedOnDate": "10 January 2026"} 403 error.msg.loan.approval.cannot.be.before.submittal.date
LOAN_APPROVE {"external_loan_id": "PENDING", "approvedOnDate": "10 January 2099"} 403 error.msg.loan.approval.cannot.be.a.future.date
LOAN_APPROVE {"external_loan_id": "NOTHING", "approvedOnDate": "11 January 2026"} 404 error.msg.loan.external.id.invalid
LOAN_DELETE {"external_loan_id": "APPROVED"} 403 error.msg.loan.cannot.delete.loan.in.its.present.state
LOAN_DELETE {"external_loan_id": "NOTHING"} 404 error.msg.loan.external.id.invalid
LOAN_DISBURSE {"external_loan_id": "PENDING"} 400 error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state
LOAN_DISBURSE {"external_loan_id": "APPROVED", "actualDisbursementDate": "10 January 2026"} 403 error.msg.loan.disbursal.cannot.be.before.approval.date
LOAN_DISBURSE {"external_loan_id": "APPROVED", "actualDisbursementDate": "10 January 2099"} 403 error.msg.loan.disbursal.cannot.be.a.future.date
LOAN_DISBURSE {"external_loan_id": "NOTHING"} 404 error.msg.loan.external.id.invalid
LOAN_DISBURSE {"external_loan_id": "APPROVED", "transactionAmount": 100001} unsent approved principal
LOAN_DISBURSE {"external_loan_id": "PAID"} unsent approved principal
LOAN_DISBURSE {"external_loan_id": "PAID", "utr_payment_id": "UTR-1"} unsent LOAN_DISBURSE|
LOAN_DISBURSE {"external_loan_id": "TRANCHE", "transactionAmount": 1} unsent tranche
"#;

/// A whole payload: the usual fields of the type, replaced by the fields of the case.
fn payload(operation_type: &str, changes: &str) -> Value {
    let mut data = match operation_type {
        "CLIENT_CREATE" => client(""),
        "LOAN_CREATE" => loan("NEW", "C"),
        "LOAN_APPROVE" => approve(""),
        "LOAN_DISBURSE" => disburse(""),
        _ => json!({}),
    };
    let changes: Value = serde_json::from_str(changes).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        data[key] = value.clone();
    }
    data
}

/// Creates two clients and the loans PENDING, APPROVED, PAID (disbursed) and TRANCHE (one of its tranches disbursed).
async fn prepare(gateway: &Caller) {
    let steps = [
        r#"CLIENT_CREATE {"externalId": "C", "mobileNo": "1"}"#,
        r#"CLIENT_CREATE {"externalId": "D", "mobileNo": "2"}"#,
        r#"LOAN_CREATE {"externalId": "PENDING"}"#,
        r#"LOAN_CREATE {"externalId": "APPROVED"}"#,
        r#"LOAN_APPROVE {"external_loan_id": "APPROVED"}"#,
        r#"LOAN_CREATE {"externalId": "PAID"}"#,
        r#"LOAN_APPROVE {"external_loan_id": "PAID"}"#,
        r#"LOAN_DISBURSE {"external_loan_id": "PAID", "utr_payment_id": "UTR-1"}"#,
        r#"LOAN_CREATE {"externalId": "TRANCHE", "lenderConfig": "ARTHMATE"}"#,
        r#"LOAN_APPROVE {"external_loan_id": "TRANCHE"}"#,
        r#"LOAN_DISBURSE {"external_loan_id": "TRANCHE"}"#,
    ];
    for step in steps {
        let (operation_type, data) = step.split_once(' ').unwrap();
        let end = gateway
            .run(operation_type, payload(operation_type, data))
            .await;
        assert_eq!(end["status"], "success", "{end}");
    }
}

#[sqlx::test]
async fn each_refusal_is_passed_on_word_for_word_and_nothing_happens(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("LENDERS", "UGRO,LIQUILOANS,ARTHMATE,CLOSED");
    let gateway = system.gateway().await;
    prepare(&gateway).await;
    let effects = system.ledger().await.len();
    for case in CASES.trim().lines() {
        let (operation_type, rest) = case.split_once(' ').unwrap();
        let (data, says) = rest.split_once("} ").unwrap();
        let (status, what) = says.split_once(' ').unwrap();
        let data = payload(operation_type, &format!("{data}}}"));
        let end = gateway.run(operation_type, data).await;
        assert_eq!(end["status"], "failed", "{case}: {end}");
        let message = end["error_message"].as_str().unwrap();
        if status == "unsent" {
            assert_eq!(end["failure_response"], Value::Null, "{case}: {end}");
            assert!(message.contains(what), "{case}: {message}");
        } else {
            let code = &end["failure_response"]["errors"][0]["userMessageGlobalisationCode"];
            assert_eq!(code, what, "{case}: {end}");
            assert_eq!(message, format!("Fineract returned {status}"), "{case}");
        }
    }
    assert_eq!(
        system.ledger().await.len(),
        effects,
        "a refusal had an effect"
    );
    assert!(gateway.shut_down().await);
}
