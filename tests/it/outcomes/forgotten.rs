//! Keys that are so old that Fineract may have purged them. If they were sent again, their commands would run again.

use reqwest::StatusCode;
use sqlx::PgPool;

use super::Bench;
use crate::support::{
    OPS_TOKEN,
    caller::Caller,
    fixtures::{
        LOAN_DONE, approve, disburse, of_loan, rename, show_client, show_loan, shown_approved,
        shown_client, shown_loan,
    },
    operators::{Operator, park},
};

/// A time in seconds. It is longer than Fineract keeps keys.
const FORTY_DAYS: f64 = 3_456_000.0;

/// An update that was sent, and then parked for longer than Fineract keeps keys.
async fn forgotten(bench: &mut Bench, lastname: &str) -> (Caller, Operator, String) {
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    show_client(&bench.fake, &shown_client("Badgujar", "{}"));
    bench.fake.answers("/clients/7", &["close"]);
    let gateway = bench.gateway().await;
    let operator = Operator::of(gateway.address);
    let id = gateway.send("CLIENT_UPDATE", rename("C-1")).await;
    bench.eventually(&id, "ready", "connection_closed").await;
    park(&bench.pool, &id).await;
    show_client(&bench.fake, &shown_client(lastname, "{}"));
    bench.age(FORTY_DAYS).await;
    (gateway, operator, id)
}

#[sqlx::test]
async fn what_is_old_enough_to_be_forgotten_is_read_before_it_is_sent_again(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    let (gateway, operator, id) = forgotten(&mut bench, "Rao").await;
    let sent = bench.fake.commands().len();
    assert_eq!(
        operator.act(&id, "retry").await.status,
        StatusCode::ACCEPTED
    );
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(
        bench.fake.commands().len(),
        sent,
        "the key was sent again, and may run again"
    );
}

#[sqlx::test]
async fn an_update_that_is_forgotten_does_not_overwrite_what_came_later(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    let (_gateway, operator, id) = forgotten(&mut bench, "Later").await;
    let sent = bench.fake.commands().len();
    operator.act(&id, "retry").await;
    bench
        .eventually(&id, "ready", "an_attempt_may_still_run")
        .await;
    assert_eq!(bench.fake.commands().len(), sent);
}

/// The old key of an approval would approve the loan again, although the approval is about to be undone.
#[sqlx::test]
async fn a_forgotten_key_is_not_asked_before_an_undo(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("command=approve", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench.until_commands(3).await;
    assert!(gateway.shut_down().await);
    bench.age(400.0).await;
    let gateway = bench.gateway().await;
    bench.eventually(&id, "ready", "left_without_effect").await;
    bench.fake.answers("command=approve", &[LOAN_DONE]);
    assert_eq!(bench.end_of(&gateway, &id).await["status"], "success");
    bench.age(FORTY_DAYS).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    bench.fake.answers("undoapproval", &[LOAN_DONE]);
    let sent = bench.fake.commands().len();
    let undo = of_loan("L-1");
    let undo = gateway.send("LOAN_UNDO_APPROVAL", undo).await;
    bench
        .eventually(&undo, "ready", "an_attempt_may_still_run")
        .await;
    assert_eq!(bench.fake.commands().len(), sent);
}

/// If Fineract has forgotten a key, it executes the command again, as under a new key. So the gateway does not send the
/// key after `expires_at`.
#[sqlx::test]
async fn a_forgotten_payout_is_not_made_anew_past_its_deadline(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    show_loan(&bench.fake, &shown_approved("gateway"));
    bench.fake.answers("disburse", &["close"]);
    let gateway = bench.gateway().await;
    let operator = Operator::of(gateway.address);
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench.eventually(&id, "ready", "connection_closed").await;
    park(&bench.pool, &id).await;
    bench.age(FORTY_DAYS).await;
    bench.expire().await;
    let sent = bench.fake.commands().len();
    bench.fake.answers("disburse", &[LOAN_DONE]);
    let claims = bench.claims(&id).await;
    assert_eq!(
        operator.act(&id, "retry").await.status,
        StatusCode::ACCEPTED
    );
    bench.until_claims(&id, claims + 1).await;
    assert_eq!(
        bench.fake.commands().len(),
        sent,
        "the disbursement was sent again"
    );
}
