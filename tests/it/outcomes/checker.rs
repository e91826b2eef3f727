//! Maker/checker: while a command waits for a checker in Fineract, the gateway never sends a second one. The operation
//! fails only if Fineract shows that the command was rejected.

use sqlx::PgPool;

use super::Bench;
use crate::{
    fake_fineract::refusal,
    support::{
        caller::Caller,
        eventually::eventually,
        fixtures::{LOAN_DONE, approve, of_loan, show_loan, shown_approved, shown_loan},
    },
};

const PENDING: &str = r#"200 {"commandId":77,"resourceId":9,"rollbackTransaction":true,
    "resourceExternalId":{},"subResourceExternalId":{}}"#;
pub(super) const AUDIT: &str = "/audits/77";
pub(super) const UNCHECKED: &str = r#"200 {"id":77,"actionName":"APPROVE","entityName":"LOAN","resourceId":9,
    "maker":"gateway","madeOnDate":1795841559421,"loanId":9,"url":"/loans/9"}"#;

/// The audit after a checker has decided. It looks the same after an approval and after a rejection.
pub(super) fn checked() -> String {
    let by = r#""checker":"mifos","checkedOnDate":1795841563344,"loanId":9"#;
    UNCHECKED.replace(r#""loanId":9"#, by)
}

/// Sends an approval whose command waits for a checker. `audit` is the answer to each read of the command's audit.
pub(super) async fn waiting(bench: &Bench, audit: &str, reason_code: &str) -> (Caller, String) {
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("approve", &[PENDING, "425c {}"]);
    bench.fake.reads(AUDIT, audit);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench.eventually(&id, "ready", reason_code).await;
    (gateway, id)
}

async fn looked_again(bench: &Bench) {
    let looks = || {
        let pages = bench.fake.pages();
        pages.iter().filter(|page| *page == AUDIT).count()
    };
    let before = looks();
    eventually("the audit is read twice", async || {
        bench.hurry().await;
        looks() >= before + 2
    })
    .await;
}

#[sqlx::test]
async fn an_approved_command_succeeds_with_fineracts_own_words(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = waiting(&bench, UNCHECKED, "awaiting_checker").await;
    // It does not matter how long this takes.
    bench.age_troubles().await;
    looked_again(&bench).await;
    bench.eventually(&id, "ready", "awaiting_checker").await;
    let done = r#"200c {"commandId":77,"officeId":1,"clientId":7,"loanId":9,"resourceId":9}"#;
    bench.fake.answers("approve", &[done]);
    bench.fake.reads(AUDIT, &checked());
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(end["success_response"]["commandId"], 77, "{end}");
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}

/// Up to release 1.10.1, the key of a rejected command is answered with an error of the database.
#[sqlx::test]
async fn a_rejected_command_fails(pool: PgPool) {
    let database = refusal(403, "error.msg.data.integrity.issue");
    for answer in ["425c {}", &database] {
        let bench = Bench::start(pool.clone()).await;
        let (gateway, id) = waiting(&bench, UNCHECKED, "awaiting_checker").await;
        bench.fake.answers("approve", &[answer]);
        bench.fake.reads(AUDIT, &checked());
        let end = bench.end_of(&gateway, &id).await;
        assert_eq!(end["status"], "failed", "{end}");
        assert!(end["failure_response"].is_null(), "{end}");
        assert!(
            end["error_message"].as_str().unwrap().contains("checker"),
            "{end}"
        );
        assert_eq!(bench.fake.keys(), [1, 1]);
        assert!(gateway.shut_down().await);
        begin_anew(&bench).await;
    }
}

/// Fineract stopped after an approved command had taken effect, before it had recorded the approval. The checker is
/// asked again and rejects the command, which has already taken effect.
#[sqlx::test]
async fn what_is_rejected_although_it_was_done_is_a_success(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = waiting(&bench, UNCHECKED, "awaiting_checker").await;
    show_loan(&bench.fake, &shown_approved("mifos"));
    bench.fake.reads(AUDIT, &checked());
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}

/// Another error of Fineract's database is no rejection.
#[sqlx::test]
async fn another_word_of_the_database_is_no_rejection(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (_gateway, id) = waiting(&bench, UNCHECKED, "awaiting_checker").await;
    let hiccup = refusal(403, "error.msg.persistence.error");
    bench.fake.answers("approve", &[&hiccup]);
    bench.fake.reads(AUDIT, &checked());
    bench.eventually(&id, "ready", "database_spoke").await;
}

/// Empties the tables, so that the next turn of the loop begins with an unused lane.
async fn begin_anew(bench: &Bench) {
    sqlx::query!("TRUNCATE operation, lane_entry, lane, payload, attempt, result")
        .execute(&bench.pool)
        .await
        .unwrap();
}

/// The gateway cannot see a command if it may not read audits, if the command was deleted from the list (its key would
/// submit the command again), or if the command's number belongs to another command.
#[sqlx::test]
async fn a_command_that_cannot_be_seen_is_neither_rejected_nor_asked_about(pool: PgPool) {
    let anothers = checked().replace("\"gateway\"", "\"clerk\"");
    let forbidden = refusal(403, "error.msg.not.authorized");
    for audit in [&forbidden, "500 {}", "200 []", "404 ", &anothers] {
        let bench = Bench::start(pool.clone()).await;
        let (gateway, id) = waiting(&bench, audit, "awaiting_checker_unseen").await;
        bench.age(40_000.0).await;
        looked_again(&bench).await;
        bench
            .eventually(&id, "ready", "awaiting_checker_unseen")
            .await;
        bench.age_troubles().await;
        bench
            .eventually(&id, "parked", "awaiting_checker_unseen")
            .await;
        assert_eq!(bench.fake.commands().len(), 1, "{audit}");
        assert!(gateway.shut_down().await);
        begin_anew(&bench).await;
    }
}

#[sqlx::test]
async fn what_took_effect_unseen_succeeds_under_the_checkers_name(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = waiting(&bench, "500 {}", "awaiting_checker_unseen").await;
    show_loan(&bench.fake, &shown_approved("checker"));
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(bench.fake.commands().len(), 1);
}

/// Fineract refuses the command when the checker approves it. The audit stays unchecked; only the key shows the
/// refusal.
#[sqlx::test]
async fn an_approval_that_fineract_refuses_ends_in_its_words(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = waiting(&bench, UNCHECKED, "awaiting_checker").await;
    looked_again(&bench).await;
    assert_eq!(bench.fake.commands().len(), 1, "the key was sent too soon");
    let code = "error.msg.loan.approval.cannot.be.before.submittal.date";
    let refused = refusal(403, code).replacen("403", "403c", 1);
    bench.fake.answers("approve", &[&refused]);
    bench.age(200.0).await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["error_message"], "Fineract returned 403", "{end}");
    assert_eq!(bench.fake.keys(), [1, 1]);
}

/// Fineract stopped after an approved command had taken effect, before it had recorded the approval. The checker
/// approved the command again.
#[sqlx::test]
async fn an_approval_that_is_refused_because_it_was_done_is_a_success(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = waiting(&bench, UNCHECKED, "awaiting_checker").await;
    show_loan(&bench.fake, &shown_approved("checker"));
    let code = "error.msg.loan.approve.account.is.not.submitted.and.pending.state";
    let refused = refusal(400, code).replacen("400", "400c", 1);
    bench.fake.answers("approve", &[&refused]);
    bench.age(200.0).await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
}

/// The command was deleted after its audit was read and before its key was sent. So the key submitted it again.
#[sqlx::test]
async fn a_command_that_was_put_up_again_waits_under_its_new_number(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = waiting(&bench, UNCHECKED, "awaiting_checker").await;
    let again = PENDING.replace("77", "78");
    bench.fake.answers("approve", &[&again, "425c {}"]);
    bench.age(200.0).await;
    bench.until_commands(2).await;
    bench.fake.reads(AUDIT, "500 {}");
    bench
        .fake
        .reads("/audits/78", &checked().replace("77", "78"));
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "failed", "{end}");
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}

/// A slow worker has written that a new key is to be used, although an answer had arrived late.
#[sqlx::test]
async fn a_command_that_waits_gets_no_second_one_under_another_key(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (_gateway, id) = waiting(&bench, UNCHECKED, "awaiting_checker").await;
    bench.fake.answers("approve", &[LOAN_DONE]);
    sqlx::raw_sql("UPDATE operation SET key_number = 2")
        .execute(&bench.pool)
        .await
        .unwrap();
    bench.age(200.0).await;
    bench
        .eventually(&id, "ready", "awaiting_checker_unseen")
        .await;
    assert_eq!(bench.fake.commands().len(), 1);
}

/// The answer that the command waits for a checker was lost. Its key is answered with 425, as if it were stuck, even
/// after a restart of Fineract. Nobody can tell whether it was rejected.
#[sqlx::test]
async fn a_lost_makers_answer_is_no_failure_and_gets_no_second_command(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench.system.set("FINERACT_MAKER_CHECKER", "");
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("/loans/9", &["hang", "425c {}"]);
    bench.shows_when_it_started();
    let gateway = bench.gateway().await;
    let update = serde_json::json!({ "externalId": "L-1", "principal": 50_000 });
    let id = gateway.send("LOAN_UPDATE", update).await;
    bench.until_commands(4).await;
    assert!(gateway.shut_down().await);
    bench.age(4_000.0).await;
    let gateway = bench.gateway().await;
    bench
        .eventually(&id, "ready", "an_attempt_may_still_run")
        .await;
    bench.age_troubles().await;
    bench
        .eventually(&id, "parked", "an_attempt_may_still_run")
        .await;
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
    assert!(gateway.shut_down().await);
}

/// The undo took effect, and Fineract stopped before it had recorded the approval. An undo leaves no trace that shows
/// its effect.
#[sqlx::test]
async fn an_undo_that_may_have_been_done_is_not_told_as_rejected(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("mifos"));
    bench.fake.answers("undoapproval", &[PENDING, "425c {}"]);
    let undo = |audit: &str| audit.replace("\"APPROVE\"", "\"APPROVALUNDO\"");
    bench.fake.reads(AUDIT, &undo(UNCHECKED));
    let gateway = bench.gateway().await;
    let data = of_loan("L-1");
    let id = gateway.send("LOAN_UNDO_APPROVAL", data).await;
    bench.eventually(&id, "ready", "awaiting_checker").await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.reads(AUDIT, &undo(&checked()));
    bench
        .eventually(&id, "parked", "undo_leaves_no_trace")
        .await;
    assert!(gateway.shut_down().await);
}
