//! If the result of a command is unknown, the gateway first sends the same command again, byte for byte, under its key.

use sqlx::PgPool;

use super::Bench;
use crate::{
    fake_fineract::{not_found, refusal},
    support::fixtures::{
        CLIENT_DONE, CLIENT_DONE_STORED, LOAN_DONE, approve, client, of_loan, show_loan,
        shown_approved, shown_loan,
    },
};

#[sqlx::test]
async fn what_was_not_answered_is_sent_again_byte_for_byte(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let answers = [
        "hang",
        "close",
        "502",
        "200 {\"clientId\":",
        "500",
        "425c {}",
        CLIENT_DONE_STORED,
    ];
    bench.fake.answers("C-1", &answers);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(end["success_response"]["clientId"], 7);
    let commands = bench.fake.commands();
    assert_eq!(commands.len(), answers.len());
    assert!(
        commands.iter().all(|command| *command == commands[0]),
        "{commands:?}"
    );
    assert!(commands[0].key.ends_with("-1"), "{commands:?}");
}

#[sqlx::test]
async fn a_worker_that_dies_is_followed_by_one_that_sends_the_same_again(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench.system.set("FINERACT_TIMEOUT_SECONDS", "30");
    let held = CLIENT_DONE.replacen("200", "hold 200", 1);
    bench.fake.answers("C-1", &[&held, "425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    bench.fake.until_commands(1).await;

    // The lease expires before the answer arrives.
    sqlx::query!("UPDATE operation SET due_at = now() - interval '1 second'")
        .execute(&bench.pool)
        .await
        .unwrap();
    bench.fake.until_commands(2).await;
    let commands = bench.fake.commands();
    assert_eq!(commands[0], commands[1]);
    bench.eventually(&id, "ready", "still_running").await;

    // The late answer is stored with its attempt, and changes nothing by itself. The next owner uses it.
    bench.fake.release();
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    let attempts = sqlx::query!("SELECT number, status FROM attempt ORDER BY number")
        .fetch_all(&bench.pool)
        .await
        .unwrap();
    assert_eq!((attempts[0].number, attempts[0].status), (1, Some(200)));
    assert!(
        attempts[1..]
            .iter()
            .all(|attempt| attempt.status == Some(425))
    );
}

#[sqlx::test]
async fn two_keys_that_failed_inside_are_a_refusal_where_others_succeed(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let failing = ["500 {}", r#"500c {"Exception":"x"}"#];
    let answers = [failing, failing, failing].concat();
    bench.fake.answers("C-1", &answers);
    bench
        .fake
        .answers("C-2", &[&CLIENT_DONE.replace("C-1", "C-2")]);
    let gateway = bench.gateway().await;
    let failing = gateway.send("CLIENT_CREATE", client("C-1")).await;
    bench.until_commands(4).await;
    // No operation has succeeded meanwhile. So Fineract as a whole may be failing.
    bench
        .eventually(&failing, "ready", "failed_inside_fineract")
        .await;
    let other = gateway.run("CLIENT_CREATE", client("C-2")).await;
    assert_eq!(other["status"], "success", "{other}");
    let end = bench.end_of(&gateway, &failing).await;
    assert_eq!(end["status"], "failed", "{end}");
    assert_eq!(end["error_message"], "Fineract returned 500");
    assert!(bench.fake.keys().contains(&2), "{:?}", bench.fake.keys());
}

#[sqlx::test]
async fn an_answer_about_another_loan_is_never_believed(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    let another = LOAN_DONE
        .replace("\"loanId\":9", "\"loanId\":10")
        .replace("200", "200c");
    bench.fake.answers("approve", &[&another]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench
        .eventually(&id, "parked", "answer_about_another")
        .await;
    assert_eq!(bench.fake.commands().len(), 1);
}

/// Two approvals of one loan: the second one finds the effect of the first, which it must not take for its own.
#[sqlx::test]
async fn what_was_there_before_is_no_evidence(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    let state = "error.msg.loan.approve.account.is.not.submitted.and.pending.state";
    let refused = refusal(400, state);
    bench.fake.answers(
        "approve",
        &["close", &refused, &refused.replacen("400", "400c", 1)],
    );
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "failed", "{end}");
    assert_eq!(end["error_message"], "Fineract returned 400");
    assert_eq!(bench.fake.keys(), [1, 1, 1]);
}

/// Somebody renamed the loan meanwhile. Its old external id is not found, but the loan exists.
#[sqlx::test]
async fn a_deletion_is_only_believed_of_the_number_that_it_named(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers(
        "/loans/9",
        &["hang", &not_found(), "200c {\"loanId\":9,\"resourceId\":9}"],
    );
    let gateway = bench.gateway().await;
    let payload = of_loan("L-1");
    let id = gateway.send("LOAN_DELETE", payload).await;
    bench.until_commands(1).await;
    bench.fake.reads("/loans/external-id/L-1?", &not_found());
    bench
        .eventually(&id, "ready", "an_attempt_may_still_run")
        .await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(bench.fake.keys(), [1, 1, 1]);
}

/// The gateway's user was changed after the approval was sent. The approval by the old user still counts as its own.
#[sqlx::test]
async fn what_was_sent_as_another_user_is_ours_as_well(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("approve", &["500", "500c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench.until_commands(1).await;
    assert!(gateway.shut_down().await);
    show_loan(&bench.fake, &shown_approved("gateway"));
    bench.system.set("FINERACT_USER", "gateway-2");
    let gateway = bench.gateway().await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
}
