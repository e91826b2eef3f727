//! An operation that may have had an effect does not end before the gateway has read Fineract. This is also so after a
//! stored failure, and after `expires_at`.

use serde_json::Value;
use sqlx::PgPool;

use super::Bench;
use crate::{
    fake_fineract::{not_found, refusal},
    support::{
        OPS_TOKEN,
        caller::Caller,
        eventually::{eventually_ok, while_waiting},
        fixtures::{
            approve, client, disburse, of_loan, show_loan, shown_approved, shown_client, shown_loan,
        },
        operators::{Operator, park},
    },
};

const FAILED_AND_STORED: [&str; 2] = ["500 {}", r#"500c {"Exception":"x"}"#];
const STATE: &str = "error.msg.loan.approve.account.is.not.submitted.and.pending.state";

impl Bench {
    /// Moves the `expires_at` of everything that has not ended into the past.
    pub(super) async fn expire(&self) {
        sqlx::query!(
            "UPDATE operation SET expires_at = now() - interval '1 second' WHERE ended_at IS NULL"
        )
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// An approval whose evidence cannot be read after its first command. Then its `expires_at` passes.
    async fn unread_past_its_deadline(&self, answers: &[&str]) -> (Caller, String) {
        show_loan(&self.fake, &shown_loan(&[]));
        self.fake.answers("approve", answers);
        let gateway = self.gateway().await;
        let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
        self.until_commands(1).await;
        self.fake.reads("/loans/9?", "502 ");
        self.eventually(&id, "ready", "evidence_unread").await;
        self.expire().await;
        // The operation is tried twice more after its `expires_at`.
        self.until_claimed(&id, 2).await;
        let standing = self.standing(&id).await;
        assert!(
            standing.state != "failed" && standing.state != "parked",
            "{standing:?}"
        );
        (gateway, id)
    }

    /// Makes retries due until the operation was claimed this many times more.
    pub(super) async fn until_claimed(&self, tracking_id: &str, times: i32) {
        let wanted = self.claims(tracking_id).await + times;
        let claimed = self.until_claims(tracking_id, wanted);
        while_waiting(claimed, async || self.hurry().await).await;
    }

    /// Waits until the operation was claimed this often in total, and no worker has it.
    pub(super) async fn until_claims(&self, tracking_id: &str, wanted: i32) {
        eventually_ok("the operation is claimed again", async || {
            let claims = self.claims(tracking_id).await;
            let standing = self.standing(tracking_id).await;
            if claims >= wanted && standing.state != "running" {
                Ok(())
            } else {
                Err((claims, standing))
            }
        })
        .await;
    }

    pub(super) async fn claims(&self, tracking_id: &str) -> i32 {
        let id = crate::support::operators::uuid(tracking_id);
        sqlx::query_scalar!("SELECT attempt FROM operation WHERE id = $1", id)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn code(&self, tracking_id: &str) -> Option<String> {
        let id = crate::support::operators::uuid(tracking_id);
        sqlx::query_scalar!("SELECT code FROM result WHERE operation_id = $1", id)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

#[sqlx::test]
async fn a_stored_failure_is_read_also_when_the_deadline_has_passed(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = bench.unread_past_its_deadline(&FAILED_AND_STORED).await;
    bench.fake.reads("/loans/9?", &shown_approved("gateway"));
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}

#[sqlx::test]
async fn what_had_no_effect_by_its_deadline_gets_no_new_key(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = bench.unread_past_its_deadline(&FAILED_AND_STORED).await;
    bench.fake.reads("/loans/9?", &shown_loan(&[]));
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "failed", "{end}");
    assert_eq!(
        end["error_message"],
        "The operation had no effect in Fineract when expires_at passed, and is not sent again"
    );
    assert_eq!(bench.code(&id).await.as_deref(), Some("expired"));
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}

/// Fineract has forgotten the key, and answers that the effect is already there. That effect may be the operation's
/// own.
#[sqlx::test]
async fn already_there_is_read_also_when_the_deadline_has_passed(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = bench
        .unread_past_its_deadline(&["close", &refusal(400, STATE)])
        .await;
    bench.fake.reads("/loans/9?", &shown_approved("gateway"));
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
}

/// The gateway has decided to use a second key. `expires_at` passes before it is sent, and the first command may still
/// run.
#[sqlx::test]
async fn a_new_key_is_not_sent_once_the_deadline_has_passed(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("approve", &FAILED_AND_STORED);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench
        .eventually(&id, "ready", "failed_inside_fineract")
        .await;
    bench.until_commands(2).await;
    bench
        .eventually(&id, "ready", "failed_inside_fineract")
        .await;
    let sent = bench.fake.commands().len();
    bench.expire().await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(bench.code(&id).await.as_deref(), Some("expired"), "{end}");
    assert_eq!(bench.fake.commands().len(), sent);
}

/// The first key got a stored failure, and a reading showed no effect. The second key gets "already there". That may be
/// the effect of the first command.
#[sqlx::test]
async fn already_there_under_a_second_key_is_read(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    let held = format!("hold {}", refusal(400, STATE));
    let answers = [FAILED_AND_STORED[0], FAILED_AND_STORED[1], &held];
    bench.fake.answers("approve", &answers);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench.until_commands(3).await;
    assert_eq!(bench.fake.keys(), [1, 1, 2]);
    show_loan(&bench.fake, &shown_approved("gateway"));
    bench.fake.release();
    let end = gateway.end_of(&id).await;
    assert_eq!(end["status"], "success", "{end}");
}

/// The loan is gone. Only its number can still show that this operation deleted it.
#[sqlx::test]
async fn a_deletion_that_failed_inside_is_read_when_the_next_key_finds_nothing(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    // Fineract has run all the time. So a loan that is gone was deleted in this process.
    bench.shows_when_it_started();
    let held = format!("hold {}", not_found());
    bench.fake.answers(
        "/loans/9",
        &[FAILED_AND_STORED[0], FAILED_AND_STORED[1], &held],
    );
    let gateway = bench.gateway().await;
    let payload = of_loan("L-1");
    let id = gateway.send("LOAN_DELETE", payload).await;
    bench.until_commands(3).await;
    show_loan(&bench.fake, &not_found());
    bench.fake.release();
    let end = gateway.end_of(&id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(end["success_response"]["loanId"], 9);
}

/// After a stored failure, a plan that refuses does not end the operation, because the command may have had an effect.
#[sqlx::test]
async fn a_guards_no_is_not_the_end_of_what_failed_inside(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    let held = format!("hold {}", FAILED_AND_STORED[1]);
    bench
        .fake
        .answers("disburse", &[FAILED_AND_STORED[0], &held]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench.until_commands(2).await;
    show_loan(&bench.fake, "502 ");
    bench.fake.release();
    bench.eventually(&id, "ready", "evidence_unread").await;
    show_loan(&bench.fake, &not_found());
    bench.eventually(&id, "parked", "subject_is_gone").await;
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}

#[sqlx::test]
async fn a_success_that_came_late_wins_over_what_an_operator_believes(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    bench.fake.answers("C-1", &["close"]);
    let gateway = bench.gateway().await;
    let operator = Operator::of(gateway.address);
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    bench.eventually(&id, "ready", "connection_closed").await;
    park(&bench.pool, &id).await;
    sqlx::query!(
        "UPDATE attempt SET status = 200, cached = false, error = NULL, answer = $1 WHERE number = 1",
        r#"{"officeId":1,"clientId":7,"resourceId":7,"resourceExternalId":"C-1"}"#
    )
    .execute(&bench.pool)
    .await
    .unwrap();
    let after = operator.resolved(&id, "failed").await;
    assert_eq!(after["state"], "succeeded", "{after}");
    assert_eq!(after["resolution"], Value::Null);
    let end = gateway.end_of(&id).await;
    assert_eq!(end["success_response"]["clientId"], 7);
}

/// If another writer has done or undone the same, the result says so, also after `expires_at`. The code "expired" would
/// mean that there is no effect and that the operation may be sent again.
#[sqlx::test]
async fn what_another_has_done_by_the_deadline_has_not_expired(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = bench.unread_past_its_deadline(&FAILED_AND_STORED).await;
    bench.fake.reads("/loans/9?", &shown_approved("clerk"));
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(
        bench.code(&id).await.as_deref(),
        Some("done_by_another"),
        "{end}"
    );
}

/// Another writer has created the client. The client exists, so the loans behind the create do not fail.
#[sqlx::test]
async fn a_client_that_is_there_at_the_deadline_fells_nobody(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.fake.answers("C-1", &FAILED_AND_STORED);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    bench.until_commands(1).await;
    bench.fake.reads("/clients/external-id/C-1", "502 ");
    bench.eventually(&id, "ready", "evidence_unread").await;
    bench.expire().await;
    bench.until_claimed(&id, 1).await;
    bench.fake.reads(
        "/clients/external-id/C-1",
        &shown_client("Badgujar", r#"{"activatedByUsername":"clerk"}"#),
    );
    bench.end_of(&gateway, &id).await;
    let marked: bool = sqlx::query_scalar("SELECT failed_by IS NOT NULL FROM lane")
        .fetch_one(&bench.pool)
        .await
        .unwrap();
    assert!(
        !marked,
        "the client exists, so nothing may depend on the failure"
    );
}
