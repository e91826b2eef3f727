//! What track says of each refusal that Fineract gave when it was recorded, as far as the door lets it
//! come that far, and of those the gateway gives by itself.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::system::{Caller, System};

/// A refusal: what is asked, and what track says: Fineract's code, or our own sentence.
struct Case {
    operation_type: &'static str,
    data: Value,
    says: Says,
}

enum Says {
    Fineract(u16, &'static str),
    Unsent(&'static str),
}

use Says::{Fineract, Unsent};

fn case(operation_type: &'static str, data: Value, says: Says) -> Case {
    Case {
        operation_type,
        data,
        says,
    }
}

fn with(mut base: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

fn client(changes: Value) -> Value {
    with(
        json!({ "firstname": "A", "lastname": "B", "activationDate": "01 January 2026" }),
        changes,
    )
}

fn loan(changes: Value) -> Value {
    with(
        json!({ "lenderConfig": "UGRO", "externalId": "NEW", "principal": 100_000, "clientId": "C",
                "submittedOnDate": "11 January 2026", "loanTermFrequency": 12,
                "numberOfRepayments": 12, "interestRatePerPeriod": 8 }),
        changes,
    )
}

fn approve(id: &str, date: &str) -> Value {
    json!({ "external_loan_id": id, "approvedOnDate": date })
}

fn disburse(id: &str, changes: Value) -> Value {
    with(
        json!({ "external_loan_id": id, "actualDisbursementDate": "11 January 2026" }),
        changes,
    )
}

/// Two clients; loans PENDING, APPROVED, PAID (one payment each), TRANCHE (paid, with tranches).
async fn prepare(gateway: &Caller) {
    let mut steps = vec![
        (
            "CLIENT_CREATE",
            client(json!({ "externalId": "C", "mobileNo": "1" })),
        ),
        (
            "CLIENT_CREATE",
            client(json!({ "externalId": "D", "mobileNo": "2" })),
        ),
        ("LOAN_CREATE", loan(json!({ "externalId": "PENDING" }))),
    ];
    for id in ["APPROVED", "PAID", "TRANCHE"] {
        let lender = if id == "TRANCHE" { "ARTHMATE" } else { "UGRO" };
        steps.push((
            "LOAN_CREATE",
            loan(json!({ "externalId": id, "lenderConfig": lender })),
        ));
        steps.push(("LOAN_APPROVE", approve(id, "11 January 2026")));
    }
    for id in ["PAID", "TRANCHE"] {
        steps.push((
            "LOAN_DISBURSE",
            disburse(id, json!({ "utr_payment_id": "UTR-1" })),
        ));
    }
    for (operation_type, data) in steps {
        let end = gateway.run(operation_type, data).await;
        assert_eq!(end["status"], "success", "{end}");
    }
}

fn cases() -> Vec<Case> {
    let mut cases = client_cases();
    cases.extend(loan_cases());
    cases.extend(money_cases());
    cases
}

fn client_cases() -> Vec<Case> {
    let future = json!({ "externalId": "E", "activationDate": "01 January 2099" });
    let early = json!({ "externalId": "E", "activationDate": "01 January 1990" });
    let update = |data| ("CLIENT_UPDATE", data);
    let (kind, unknown) = update(json!({ "externalId": "NOBODY", "mobileNo": "9" }));
    vec![
        case(
            "CLIENT_CREATE",
            client(future),
            Fineract(400, "error.msg.clients.activationDate.in.the.future"),
        ),
        case(
            "CLIENT_CREATE",
            client(early),
            Fineract(
                400,
                "error.msg.clients.activationDate.cannot.be.before.office.activation.date",
            ),
        ),
        case(
            "CLIENT_CREATE",
            client(json!({ "externalId": "C" })),
            Fineract(403, "error.msg.client.duplicate.externalId"),
        ),
        case(
            "CLIENT_CREATE",
            client(json!({ "externalId": "E", "mobileNo": "1" })),
            Fineract(403, "error.msg.client.duplicate.mobileNo"),
        ),
        case(kind, unknown, Fineract(404, "error.msg.client.id.invalid")),
        case(
            "CLIENT_UPDATE",
            json!({ "externalId": "D", "mobileNo": "1" }),
            Fineract(403, "error.msg.client.duplicate.mobileNo"),
        ),
        case(
            "CLIENT_UPDATE",
            json!({ "externalId": "D", "activationDate": "01 January 2099" }),
            Fineract(400, "error.msg.clients.activationDate.in.the.future"),
        ),
    ]
}

fn loan_cases() -> Vec<Case> {
    let limited = |changes| loan(with(json!({ "lenderConfig": "LIQUILOANS" }), changes));
    vec![
        case(
            "LOAN_CREATE",
            limited(json!({ "principal": 1 })),
            Fineract(
                400,
                "validation.msg.loan.principal.amount.is.not.within.min.max.range",
            ),
        ),
        case(
            "LOAN_CREATE",
            limited(json!({ "loanTermFrequency": 300, "numberOfRepayments": 300 })),
            Fineract(
                400,
                "validation.msg.loan.numberOfRepayments.is.not.within.expected.range",
            ),
        ),
        case(
            "LOAN_CREATE",
            limited(json!({ "interestRatePerPeriod": 99 })),
            Fineract(
                400,
                "validation.msg.loan.interestRatePerPeriod.amount.is.not.within.min.max.range",
            ),
        ),
        case(
            "LOAN_CREATE",
            loan(json!({ "lenderConfig": "CLOSED" })),
            Fineract(
                403,
                "error.msg.loan.application.submitted.on.date.cannot.be.after.the.loan.product.close.date",
            ),
        ),
        case(
            "LOAN_CREATE",
            loan(json!({ "submittedOnDate": "11 January 2099" })),
            Fineract(403, "error.msg.loan.submittal.cannot.be.a.future.date"),
        ),
        case(
            "LOAN_CREATE",
            loan(json!({ "submittedOnDate": "11 January 2020" })),
            Fineract(
                403,
                "error.msg.loan.submittal.cannot.be.before.client.activation.date",
            ),
        ),
        case(
            "LOAN_CREATE",
            loan(json!({ "externalId": "PENDING" })),
            Fineract(403, "error.msg.loan.with.externalId.already.used"),
        ),
        case(
            "LOAN_CREATE",
            loan(json!({ "clientId": "NOBODY" })),
            Fineract(404, "error.msg.client.id.invalid"),
        ),
        case(
            "LOAN_UPDATE",
            json!({ "externalId": "APPROVED", "principal": 5 }),
            Fineract(
                403,
                "error.msg.loan.cannot.modify.loan.in.its.present.state",
            ),
        ),
        case(
            "LOAN_UPDATE",
            json!({ "externalId": "NOTHING", "principal": 5 }),
            Fineract(404, "error.msg.loan.external.id.invalid"),
        ),
        case(
            "LOAN_UPDATE",
            json!({ "externalId": "PENDING", "numberOfRepayments": 7 }),
            Unsent("loanTermFrequency"),
        ),
        case(
            "LOAN_APPROVE",
            approve("APPROVED", "11 January 2026"),
            Fineract(
                400,
                "error.msg.loan.approve.account.is.not.submitted.and.pending.state",
            ),
        ),
        case(
            "LOAN_APPROVE",
            approve("PENDING", "10 January 2026"),
            Fineract(
                403,
                "error.msg.loan.approval.cannot.be.before.submittal.date",
            ),
        ),
        case(
            "LOAN_APPROVE",
            approve("PENDING", "10 January 2099"),
            Fineract(403, "error.msg.loan.approval.cannot.be.a.future.date"),
        ),
        case(
            "LOAN_APPROVE",
            approve("NOTHING", "11 January 2026"),
            Fineract(404, "error.msg.loan.external.id.invalid"),
        ),
        case(
            "LOAN_DELETE",
            json!({ "external_loan_id": "APPROVED" }),
            Fineract(
                403,
                "error.msg.loan.cannot.delete.loan.in.its.present.state",
            ),
        ),
        case(
            "LOAN_DELETE",
            json!({ "external_loan_id": "NOTHING" }),
            Fineract(404, "error.msg.loan.external.id.invalid"),
        ),
    ]
}

fn money_cases() -> Vec<Case> {
    let too_early = json!({ "actualDisbursementDate": "10 January 2026" });
    let too_late = json!({ "actualDisbursementDate": "10 January 2099" });
    vec![
        case(
            "LOAN_DISBURSE",
            disburse("PENDING", json!({})),
            Fineract(
                400,
                "error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state",
            ),
        ),
        case(
            "LOAN_DISBURSE",
            disburse("APPROVED", too_early),
            Fineract(
                403,
                "error.msg.loan.disbursal.cannot.be.before.approval.date",
            ),
        ),
        case(
            "LOAN_DISBURSE",
            disburse("APPROVED", too_late),
            Fineract(403, "error.msg.loan.disbursal.cannot.be.a.future.date"),
        ),
        case(
            "LOAN_DISBURSE",
            disburse("NOTHING", json!({})),
            Fineract(404, "error.msg.loan.external.id.invalid"),
        ),
        case(
            "LOAN_DISBURSE",
            disburse("APPROVED", json!({ "transactionAmount": 100_000.01 })),
            Unsent("approved"),
        ),
        case(
            "LOAN_DISBURSE",
            disburse("PAID", json!({})),
            Unsent("approved"),
        ),
        case(
            "LOAN_DISBURSE",
            disburse("TRANCHE", json!({ "transactionAmount": 1 })),
            Unsent("tranche"),
        ),
        case(
            "LOAN_DISBURSE",
            disburse("PAID", json!({ "utr_payment_id": "UTR-1" })),
            Unsent("LOAN_DISBURSE|"),
        ),
    ]
}

#[sqlx::test]
async fn each_refusal_is_passed_on_word_for_word_and_nothing_happens(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("LENDERS", "UGRO,LIQUILOANS,ARTHMATE,CLOSED");
    let gateway = system.gateway().await;
    prepare(&gateway).await;
    let effects = system.ledger().await.len();
    let mut table = Vec::new();
    for Case {
        operation_type,
        data,
        says,
    } in cases()
    {
        let end = gateway.run(operation_type, data).await;
        assert_eq!(end["status"], "failed", "{end}");
        let message = end["error_message"].as_str().unwrap().to_owned();
        match says {
            Fineract(status, code) => {
                let items = &end["failure_response"]["errors"];
                assert_eq!(items[0]["userMessageGlobalisationCode"], code, "{end}");
                assert_eq!(message, format!("Fineract returned {status}"));
                table.push(format!("| {operation_type} | `{code}` | `{message}` |"));
            }
            Unsent(part) => {
                assert_eq!(end["failure_response"], Value::Null, "{end}");
                assert!(message.contains(part), "{message}");
                table.push(format!("| {operation_type} | – (unsent) | {message} |"));
            }
        }
    }
    assert_eq!(
        system.ledger().await.len(),
        effects,
        "a refusal had an effect"
    );
    #[expect(
        clippy::print_stdout,
        reason = "the table of the README's kind, with --nocapture"
    )]
    {
        println!("{}", table.join("\n"));
    }
    assert!(gateway.shut_down().await);
}
