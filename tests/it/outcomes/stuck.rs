//! Keys that Fineract has left unfinished in a crash. They are answered with 425 for ever.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::Bench;
use crate::{
    fake_fineract::{NOW, refusal},
    support::{
        caller::Caller,
        fixtures::{
            CLIENT_DONE, LOAN_DONE, approve, client, of_loan, show_loan, shown_approved,
            shown_client, shown_loan,
        },
    },
};

fn update() -> Value {
    json!({ "externalId": "L-1", "principal": 50_000 })
}

impl Bench {
    /// Fineract's metrics show that its process started 1,000 s ago, which is after every older command.
    pub(super) fn shows_when_it_started(&self) {
        let started_at = NOW - 1_000;
        self.fake.reads(
            "/fineract-provider/actuator/prometheus",
            &format!("200 process_start_time_seconds {started_at}.0\n"),
        );
    }
}

/// The key was sent three times, for the first time this many seconds ago. Only the database knows this, because the
/// gateway that sent the key has been restarted.
pub(super) async fn long_stuck(bench: &Bench, gateway: Caller, seconds: f64) -> Caller {
    bench.until_commands(3).await;
    assert!(gateway.shut_down().await);
    bench.age(seconds).await;
    bench.gateway().await
}

#[sqlx::test]
async fn a_create_that_is_stuck_and_absent_gets_a_new_key(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.fake.answers("C-1", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    let gateway = long_stuck(&bench, gateway, 400.0).await;
    bench.eventually(&id, "ready", "left_without_effect").await;
    bench.fake.answers("C-1", &[CLIENT_DONE]);
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    let keys = bench.fake.keys();
    assert_eq!(keys.last(), Some(&2), "{keys:?}");
    assert_eq!(keys.iter().filter(|key| **key == 2).count(), 1);
    let commands = bench.fake.commands();
    assert_eq!(
        commands.first().unwrap().body,
        commands.last().unwrap().body
    );
}

#[sqlx::test]
async fn a_create_whose_effect_has_come_needs_no_new_key(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.fake.answers("C-1", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    let gateway = long_stuck(&bench, gateway, 400.0).await;
    bench.eventually(&id, "ready", "left_without_effect").await;
    // The create is committed after a reading has shown that it is absent.
    bench.fake.reads(
        "/clients/external-id/C-1",
        &shown_client("Badgujar", r#"{"activatedByUsername":"gateway"}"#),
    );
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(end["success_response"]["clientId"], 7);
    assert!(
        bench.fake.keys().iter().all(|key| *key == 1),
        "{:?}",
        bench.fake.keys()
    );
}

#[sqlx::test]
async fn a_clock_that_jumps_makes_nothing_stuck(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.fake.answers("C-1", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    bench.until_commands(3).await;
    bench.age(100_000.0).await;
    bench.until_commands(6).await;
    bench.eventually(&id, "ready", "still_running").await;
    assert!(
        bench.fake.keys().iter().all(|key| *key == 1),
        "{:?}",
        bench.fake.keys()
    );
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn an_update_that_is_stuck_waits_and_is_parked(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("/loans/9", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_UPDATE", update()).await;
    let _gateway = long_stuck(&bench, gateway, 4_000.0).await;
    bench
        .eventually(&id, "ready", "an_attempt_may_still_run")
        .await;
    bench.age_troubles().await;
    bench
        .eventually(&id, "parked", "an_attempt_may_still_run")
        .await;
    assert!(
        bench.fake.keys().iter().all(|key| *key == 1),
        "{:?}",
        bench.fake.keys()
    );
}

#[sqlx::test]
async fn an_update_gets_a_new_key_once_fineract_was_restarted(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("/loans/9", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_UPDATE", update()).await;
    bench.shows_when_it_started();
    let gateway = long_stuck(&bench, gateway, 4_000.0).await;
    bench.eventually(&id, "ready", "left_without_effect").await;
    bench.fake.answers("/loans/9", &[LOAN_DONE]);
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    let keys = bench.fake.keys();
    assert_eq!(keys.iter().filter(|key| **key == 2).count(), 1, "{keys:?}");
}

/// The approval takes effect under a second key, while the command under the first key may still run. If the gateway
/// undid the approval now, that first command would approve the loan again.
#[sqlx::test]
async fn an_undo_waits_for_an_approval_that_may_come_late(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("command=approve", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    let gateway = long_stuck(&bench, gateway, 400.0).await;
    bench.eventually(&id, "ready", "left_without_effect").await;
    bench
        .fake
        .answers("command=approve", &[LOAN_DONE, "425c {}"]);
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");

    show_loan(&bench.fake, &shown_approved("gateway"));
    bench.fake.answers("undoapproval", &[LOAN_DONE]);
    let undo = of_loan("L-1");
    let undo = gateway.send("LOAN_UNDO_APPROVAL", undo).await;
    bench
        .eventually(&undo, "ready", "an_attempt_may_still_run")
        .await;
    let undone = || {
        let commands = bench.fake.commands();
        let undos = commands.iter().filter(|seen| seen.path.contains("undo"));
        undos.count()
    };
    assert_eq!(undone(), 0);
    // The late command is refused because of the second command's effect. From now on its key gets this stored refusal.
    let already = refusal(
        400,
        "validation.msg.loan.approve.account.is.not.submitted.and.pending.state",
    );
    bench
        .fake
        .answers("command=approve", &[&already.replacen("400", "400c", 1)]);
    let end = bench.end_of(&gateway, &undo).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(undone(), 1);
}

/// Behind a load balancer, every reading may have reached the same one of several processes.
#[sqlx::test]
async fn a_restart_proves_nothing_unless_there_is_one_process(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench.system.set("FINERACT_SINGLE_PROCESS", "false");
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("/loans/9", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_UPDATE", update()).await;
    bench.shows_when_it_started();
    let _gateway = long_stuck(&bench, gateway, 4_000.0).await;
    bench
        .eventually(&id, "ready", "an_attempt_may_still_run")
        .await;
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}
