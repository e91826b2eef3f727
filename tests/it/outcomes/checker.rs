//! Maker and checker: what waits for a person in Fineract is never sent a second time.

use sqlx::PgPool;

use super::{Bench, approve, approved_by, loan, stands};
use crate::{fake_fineract::refusal, support::system::Caller};

const PENDING: &str = r#"200 {"commandId":77,"resourceId":9,"rollbackTransaction":true,
    "resourceExternalId":{},"subResourceExternalId":{}}"#;
const LIST: &str = "/makercheckers?actionName=APPROVE&entityName=LOAN";
const LISTED: &str = r#"200 [{"id":77,"actionName":"APPROVE","entityName":"LOAN","resourceId":9,
    "maker":"gateway","madeOnDate":1795253123552,"loanId":9,"url":"/loans/9"}]"#;

/// An approval that waits for its checker, with the list as it is.
async fn waiting(bench: &Bench, list: &str, why: &str) -> (Caller, String) {
    stands(&bench.fake, &loan(&[]));
    bench.fake.answers("approve", &[PENDING, "425c {}"]);
    bench.fake.reads(LIST, list);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve()).await;
    bench.until(&id, "ready", why).await;
    (gateway, id)
}

async fn looked_again(bench: &Bench) {
    let looks = || {
        bench
            .fake
            .pages()
            .iter()
            .filter(|page| page.starts_with(LIST))
            .count()
    };
    let before = looks();
    let started = std::time::Instant::now();
    while looks() < before + 2 {
        assert!(started.elapsed() < super::DEADLINE);
        bench.hurry().await;
        bench.fake.tick().await;
    }
}

#[sqlx::test]
async fn an_approved_command_succeeds_under_the_checkers_name(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = waiting(&bench, LISTED, "awaiting_checker_listed").await;
    // However long it takes.
    bench.age_troubles().await;
    looked_again(&bench).await;
    bench.until(&id, "ready", "awaiting_checker_listed").await;
    stands(&bench.fake, &approved_by("checker"));
    bench.fake.reads(LIST, "200 []");
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(end["success_response"]["loanId"], 9);
    assert_eq!(bench.fake.commands().len(), 1);
}

#[sqlx::test]
async fn a_rejected_command_fails(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (gateway, id) = waiting(&bench, LISTED, "awaiting_checker_listed").await;
    bench.fake.reads(LIST, "200 []");
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "failed", "{end}");
    assert!(end["failure_response"].is_null(), "{end}");
    assert!(
        end["error_message"].as_str().unwrap().contains("checker"),
        "{end}"
    );
    assert_eq!(bench.fake.commands().len(), 1);
}

/// Fineract shows the list to checkers only: to this user it is empty, whatever waits.
#[sqlx::test]
async fn a_command_that_was_never_seen_in_the_list_is_not_taken_for_rejected(pool: PgPool) {
    for list in ["200 []", &refusal(403, "error.msg.not.authorized")] {
        let bench = Bench::start(pool.clone()).await;
        let (gateway, id) = waiting(&bench, list, "awaiting_checker").await;
        looked_again(&bench).await;
        bench.until(&id, "ready", "awaiting_checker").await;
        bench.age_troubles().await;
        bench.until(&id, "parked", "awaiting_checker").await;
        assert_eq!(bench.fake.commands().len(), 1);
        assert!(gateway.shut_down().await);
        // The next round has a loan of its own lane again.
        sqlx::query!("TRUNCATE operation, place, lane, payload, attempt, result")
            .execute(&bench.pool)
            .await
            .unwrap();
    }
}

/// The maker's answer was lost: its key says 425, as if it were stuck.
#[sqlx::test]
async fn a_lost_makers_answer_is_found_in_the_list(pool: PgPool) {
    let bench = Bench::start(pool).await;
    stands(&bench.fake, &loan(&[]));
    bench.fake.answers("approve", &["hang", "425c {}"]);
    bench
        .fake
        .reads(LIST, &LISTED.replace("\"id\":77", "\"id\":5"));
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve()).await;
    bench.until_commands(4).await;
    assert!(gateway.shut_down().await);
    bench.age(4_000.0).await;
    let gateway = bench.gateway().await;
    bench.until(&id, "ready", "awaiting_checker_listed").await;
    bench.fake.reads(LIST, "200 []");
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "failed", "{end}");
    assert!(
        bench.fake.keys().iter().all(|key| *key == 1),
        "{:?}",
        bench.fake.keys()
    );
}
