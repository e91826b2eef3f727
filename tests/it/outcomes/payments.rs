//! A payment whose first command had no known effect. Others may pay before the gateway sends it again.

use serde_json::json;
use sqlx::PgPool;

use super::Bench;
use crate::{
    fake_fineract::refusal,
    support::fixtures::{LOAN_DONE, disburse, show_loan, shown_approved, shown_loan},
};

/// Loan 9 after another writer has disbursed it.
fn paid() -> String {
    let paid = r#""transactions":[{"id":5,"type":{"id":1},"amount":100000.000000,"externalId":"X",
            "manuallyReversed":false}]"#;
    shown_loan(&[
        (r#""status":{"id":100}"#, r#""status":{"id":300}"#),
        (r#""transactions":[]"#, paid),
    ])
}

#[sqlx::test]
async fn what_others_have_paid_meanwhile_is_not_paid_again(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    let locked = refusal(409, "error.msg.loan.locked");
    bench.fake.answers("disburse", &[&locked]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench.eventually(&id, "ready", "locked_in_fineract").await;
    show_loan(&bench.fake, &paid());
    bench.fake.answers("disburse", &[LOAN_DONE]);
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "failed", "{end}");
    assert_eq!(
        end["error_message"],
        "Not sent: this disbursement and the amount that is already paid out would together exceed the approved principal"
    );
}

#[sqlx::test]
async fn one_that_may_have_run_waits_where_others_have_paid(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    bench.fake.answers("disburse", &["hang", LOAN_DONE]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench.fake.until_commands(1).await;
    show_loan(&bench.fake, &paid());
    bench
        .eventually(&id, "ready", "an_attempt_may_still_run")
        .await;
    assert_eq!(bench.fake.commands().len(), 1);

    // The other payment was undone. So the guard does not refuse any more, and the gateway sends the key again.
    show_loan(&bench.fake, &shown_approved("gateway"));
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    let commands = bench.fake.commands();
    assert_eq!(commands.len(), 2);
    assert_eq!(commands[0], commands[1]);
}

/// If Fineract has recorded a key, sending the key executes nothing, even if others have paid meanwhile.
#[sqlx::test]
async fn a_key_in_fineracts_books_is_asked_whatever_others_have_paid(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    let done = LOAN_DONE.replacen("200", "200c", 1);
    bench.fake.answers("disburse", &["hang", "425c {}", &done]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench.until_commands(2).await;
    show_loan(&bench.fake, &paid());
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}

/// A payment type was configured while the result of a disbursement was unknown. It is still the same disbursement, and
/// is sent again unchanged.
#[sqlx::test]
async fn a_payout_is_the_same_whatever_its_receipt(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    bench.fake.answers("disburse", &["close", LOAN_DONE]);
    let gateway = bench.gateway().await;
    let mut payout = disburse("L-1");
    payout["utr_payment_id"] = json!("UTR-1");
    let id = gateway.send("LOAN_DISBURSE", payout).await;
    bench.eventually(&id, "ready", "connection_closed").await;
    assert!(gateway.shut_down().await);
    bench.system.set("FINERACT_PAYMENT_TYPE", "Bank transfer");
    bench
        .fake
        .reads("/paymenttypes", r#"200 [{"id":1,"name":"Bank transfer"}]"#);
    let gateway = bench.gateway().await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    let commands = bench.fake.commands();
    assert_eq!(commands.len(), 2);
    assert_eq!(commands[0], commands[1], "byte for byte");
}

#[sqlx::test]
async fn a_refusal_whose_code_no_text_of_the_databases_can_hold_ends_it_all_the_same(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    let odd = refusal(403, r"error.msg.\u0000.odd");
    bench.fake.answers("disburse", &[&odd]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["error_message"], "Fineract returned 403", "{end}");
    assert_eq!(bench.fake.commands().len(), 1);
}

/// The answer was lost, Fineract was restarted, and others have paid. A command that waits for a checker survives a
/// restart, and is executed when the checker approves it. So a refusal by the guard must not end the operation.
#[sqlx::test]
async fn a_guards_no_does_not_end_what_waits_for_a_checker(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench.system.set("FINERACT_MAKER_CHECKER", "");
    show_loan(&bench.fake, &shown_approved("gateway"));
    bench.fake.answers("disburse", &["close"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench.eventually(&id, "ready", "connection_closed").await;
    bench.age(4_000.0).await;
    bench.shows_when_it_started();
    show_loan(&bench.fake, &paid());
    bench.until_claimed(&id, 1).await;
    let standing = bench.standing(&id).await;
    assert_ne!(standing.state, "failed", "{standing:?}");
}
