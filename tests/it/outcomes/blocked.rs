//! Problems that affect more than one operation. Until they are solved, the gateway sends only trials.

use std::time::Instant;

use sqlx::PgPool;

use super::Bench;
use crate::{
    fake_fineract::refusal,
    support::fixtures::{CLIENT_DONE, LOAN_DONE, approve, client, show_loan, shown_loan},
};

#[sqlx::test]
async fn wrong_credentials_block_everything_until_they_are_right(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.fake.answers("C-", &["401 {}"]);
    bench.fake.reads("/paymenttypes", "401 {}");
    let gateway = bench.gateway().await;
    let first = gateway.send("CLIENT_CREATE", client("C-1")).await;
    bench.eventually(&first, "ready", "unauthenticated").await;
    let blocked_at = Instant::now();
    let second = gateway.send("CLIENT_CREATE", client("C-2")).await;
    bench.until_commands(2).await;
    // The gateway sends only one trial at a time, after 1 s, 2 s, 4 s and so on, although all operations are always
    // due.
    let tried = bench.fake.commands().len();
    let most = 3 + blocked_at.elapsed().as_secs();
    assert!(tried as u64 <= most, "{tried} commands");

    bench.fake.answers("C-1", &[CLIENT_DONE]);
    bench
        .fake
        .answers("C-2", &[&CLIENT_DONE.replace("C-1", "C-2")]);
    bench.fake.answers("C-", &[CLIENT_DONE]);
    bench.fake.reads("/paymenttypes", "200 []");
    for id in [first, second] {
        let end = bench.end_of(&gateway, &id).await;
        assert_eq!(end["status"], "success", "{end}");
    }
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}

#[sqlx::test]
async fn a_401_of_one_operation_alone_is_for_a_person(pool: PgPool) {
    let bench = Bench::start(pool).await;
    bench.fake.answers("C-1", &["401 {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    bench.until_commands(2).await;
    bench.eventually(&id, "ready", "unauthenticated").await;
    bench.age_troubles().await;
    bench.eventually(&id, "parked", "unauthenticated").await;
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn a_missing_permission_blocks_its_type_and_no_other(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    let forbidden = refusal(403, "error.msg.not.authorized");
    bench.fake.answers("C-", &[&forbidden]);
    bench.fake.answers("approve", &[LOAN_DONE]);
    let gateway = bench.gateway().await;
    let mut ids = vec![gateway.send("CLIENT_CREATE", client("C-1")).await];
    bench
        .eventually(&ids[0], "ready", "permission_missing")
        .await;
    for number in 2..=20 {
        let client = client(&format!("C-{number}"));
        ids.push(gateway.send("CLIENT_CREATE", client).await);
    }
    let other = gateway.run("LOAN_APPROVE", approve("L-1")).await;
    assert_eq!(other["status"], "success", "{other}");
    // Only one of the twenty operations without the permission is tried from time to time.
    let tried = bench.fake.commands();
    let tried = tried.iter().filter(|command| command.path == "/clients");
    assert!(tried.count() < 10);

    bench
        .fake
        .answers("C-", &[r#"200 {"clientId":7,"resourceId":7}"#]);
    for id in ids {
        let end = bench.end_of(&gateway, &id).await;
        assert_eq!(end["status"], "success", "{end}");
    }
    assert!(bench.fake.keys().iter().all(|key| *key == 1));
}

/// Fineract has stored this refusal under the key, so the same key would never get another answer.
#[sqlx::test]
async fn a_stored_want_of_permission_is_tried_again_under_a_new_key(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let forbidden = refusal(403, "error.msg.not.authorized");
    bench
        .fake
        .answers("C-1", &[&forbidden.replacen("403", "403c", 1), CLIENT_DONE]);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    bench.eventually(&id, "ready", "permission_missing").await;
    assert!(gateway.shut_down().await);
    let gateway = bench.gateway().await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(bench.fake.keys(), [1, 2]);
}
