//! What answers show about idempotency keys, and what the gateway sends because of that.

use serde_json::json;
use sqlx::PgPool;

use super::Bench;
use crate::{
    fake_fineract::{NOW, refusal},
    support::fixtures::{
        LOAN_DONE, approve, client, rename, show_client, show_loan, shown_client, shown_loan,
    },
};

/// The metrics of a process of Fineract that was started at this time.
fn process(started_at: u64) -> String {
    format!("200 process_start_time_seconds {started_at}")
}

const CLIENT_DONE: &str = r#"200 {"officeId":1,"clientId":7,"resourceId":7}"#;
const CLIENT_DONE_STORED: &str = r#"200c {"officeId":1,"clientId":7,"resourceId":7}"#;
const METRICS: &str = "/fineract-provider/actuator/prometheus";

/// The keys of the key probes that arrived.
fn probe_keys(bench: &Bench) -> Vec<String> {
    let probes = bench.fake.probes();
    probes.into_iter().map(|probe| probe.key).collect()
}

/// How often the gateway has read which process of Fineract runs.
fn looks(bench: &Bench) -> usize {
    let pages = bench.fake.pages();
    pages.iter().filter(|page| *page == METRICS).count()
}

#[sqlx::test]
async fn a_kind_is_asked_about_once_for_all_that_follow(pool: PgPool) {
    let bench = Bench::asking(pool).await;
    bench.fake.reads(METRICS, &process(1_795_000_000));
    bench.fake.answers("/clients", &[CLIENT_DONE]);
    let gateways = [bench.gateway().await, bench.gateway().await];
    for (number, gateway) in gateways.iter().cycle().enumerate().take(40) {
        let end = gateway
            .run("CLIENT_CREATE", client(&format!("C-{number}")))
            .await;
        assert_eq!(end["status"], "success", "{end}");
    }
    let keys = probe_keys(&bench);
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!(keys[0], keys[1]);
    assert!(bench.fake.commands().iter().all(|seen| seen.key != keys[0]));
    assert!(
        looks(&bench) <= 2,
        "one for each gateway: {}",
        looks(&bench)
    );
}

/// If a proxy does not let the metrics through, that is no outage.
#[sqlx::test]
async fn without_metrics_operations_go_on(pool: PgPool) {
    let bench = Bench::asking(pool).await;
    bench.fake.reads(METRICS, "close");
    bench.fake.answers("/clients", &[CLIENT_DONE]);
    let gateway = bench.gateway().await;
    let end = gateway.run("CLIENT_CREATE", client("C-1")).await;
    assert_eq!(end["status"], "success", "{end}");
}

/// If a command never reached Fineract, sending it again is no repetition. So the gateway needs no proof that keys are
/// honoured.
#[sqlx::test]
async fn what_never_arrived_needs_no_proof(pool: PgPool) {
    let bench = Bench::asking(pool).await;
    show_client(&bench.fake, &shown_client("Badgujar", "{}"));
    bench.fake.answers("/clients/7", &["429 {}", CLIENT_DONE]);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_UPDATE", rename("C-1")).await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
}

/// The gateway probes again after a day, and after a failure if Fineract is another process then.
#[sqlx::test]
async fn a_verdict_is_asked_for_again(pool: PgPool) {
    let bench = Bench::asking(pool.clone()).await;
    bench.fake.reads(METRICS, &process(1_795_000_000));
    bench.fake.answers("/clients", &[CLIENT_DONE]);
    let gateway = bench.gateway().await;
    gateway.run("CLIENT_CREATE", client("C-1")).await;
    assert_eq!(bench.fake.probes().len(), 2);

    sqlx::query!("UPDATE key_probe SET asked_at = now() - interval '25 hours'")
        .execute(&pool)
        .await
        .unwrap();
    assert!(gateway.shut_down().await);
    bench.forget_numbers().await;
    let gateway = bench.gateway().await;
    gateway.run("CLIENT_CREATE", client("C-2")).await;
    assert_eq!(bench.fake.probes().len(), 4, "a day later");

    bench.forget_numbers().await;
    bench.fake.answers("/clients", &["close", CLIENT_DONE]);
    let id = gateway.send("CLIENT_CREATE", client("C-3")).await;
    bench.end_of(&gateway, &id).await;
    assert_eq!(
        bench.fake.probes().len(),
        4,
        "it is the same process of Fineract"
    );
    assert_eq!(bench.fake.commands().len(), 4, "the command was sent again");

    bench.fake.answers("/clients", &["close", CLIENT_DONE]);
    bench.forget_numbers().await;
    bench.fake.reads(METRICS, &process(1_795_100_000));
    let id = gateway.send("CLIENT_CREATE", client("C-4")).await;
    bench.end_of(&gateway, &id).await;
    assert_eq!(
        bench.fake.probes().len(),
        6,
        "it is another process of Fineract"
    );
}

/// If an answer says nothing about keys, the gateway probes again. Meanwhile it sends no command, because the command
/// would get the same answer.
#[sqlx::test]
async fn an_outage_says_nothing_about_keys(pool: PgPool) {
    let bench = Bench::asking(pool).await;
    bench.fake.answers("/clients", &[CLIENT_DONE]);
    let silence = ["close".to_owned(), "hang".to_owned()];
    let outage = [refusal(503, "scheduler"), "502 <html>".to_owned()];
    bench.fake.answers_probes(&[silence, outage].concat());
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(bench.fake.keys(), [1]);
}

/// A missing permission, or a refusal for another reason, proves nothing about keys.
#[sqlx::test]
async fn where_nothing_can_be_asked_the_first_success_is_sent_once_more(pool: PgPool) {
    let bench = Bench::asking(pool).await;
    bench
        .fake
        .answers("/clients", &[CLIENT_DONE, CLIENT_DONE_STORED]);
    bench
        .fake
        .answers_probes(&[refusal(403, "error.msg.not.authorized")]);
    let gateway = bench.gateway().await;
    let end = gateway.run("CLIENT_CREATE", client("C-1")).await;
    assert_eq!(end["status"], "success", "{end}");
    let sent = bench.fake.commands();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert_eq!(sent[0], sent[1]);
    gateway.run("CLIENT_CREATE", client("C-2")).await;
    assert_eq!(bench.fake.commands().len(), 3);
    assert_eq!(bench.fake.probes().len(), 1);
}

#[sqlx::test]
async fn release_1_10_1_refuses_the_probe_of_a_loan_in_its_own_way(pool: PgPool) {
    let bench = Bench::asking(pool).await;
    let integrity = refusal(403, "error.msg.data.integrity.issue");
    let stored = integrity.replacen("403", "403c", 1);
    bench.fake.answers_probes(&[integrity, stored]);
    bench.fake.answers("/clients", &[CLIENT_DONE]);
    let gateway = bench.gateway().await;
    let end = gateway.run("CLIENT_CREATE", client("C-1")).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(bench.fake.probes().len(), 2);
    assert_eq!(bench.fake.keys(), [1], "nothing was left to be proven");
}

/// An update that runs twice may do harm. Without an answer, it is not sent again before keys are proven.
#[sqlx::test]
async fn what_is_not_proven_is_sent_once(pool: PgPool) {
    let bench = Bench::asking(pool).await;
    show_client(&bench.fake, &shown_client("Badgujar", "{}"));
    bench.fake.answers("/clients/7", &["close"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_UPDATE", rename("C-1")).await;
    bench.eventually(&id, "ready", "keys_unproven").await;
    assert_eq!(bench.fake.commands().len(), 1);
}

/// An approval that runs twice does no harm. It is sent again, whether keys are proven or not.
#[sqlx::test]
async fn what_is_harmless_twice_is_sent_again_unproven(pool: PgPool) {
    let bench = Bench::asking(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    let stored = LOAN_DONE.replacen("200", "200c", 1);
    bench.fake.answers("command=approve", &["close", &stored]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(
        bench.fake.keys(),
        [1, 1],
        "the stored answer proves that keys are honoured"
    );
}

/// A process of Fineract could not be probed and has ended. The next process honours keys. Nobody knows what the first
/// process did with a command that it got, so the gateway reads Fineract.
#[sqlx::test]
async fn what_went_to_a_process_that_nobody_found_out_about_is_read(pool: PgPool) {
    let bench = Bench::asking(pool).await;
    let show = |lastname: &str| show_client(&bench.fake, &shown_client(lastname, "{}"));
    let update = |lastname: &str| json!({ "externalId": "C-1", "lastname": lastname });
    show("Badgujar");
    bench.fake.answers("/clients", &[CLIENT_DONE]);
    bench.fake.reads(METRICS, &process(1_795_000_000));
    let gateway = bench.gateway().await;
    gateway.run("CLIENT_CREATE", client("C-1")).await;
    gateway.run("CLIENT_UPDATE", update("Asha")).await;
    assert_eq!(bench.fake.probes().len(), 4);

    bench.fake.answers("/clients", &["close"]);
    bench.fake.reads(METRICS, &process(1_795_100_000));
    bench.fake.answers_probes(&["close".to_owned()]);
    let id = gateway.send("CLIENT_UPDATE", update("Rao")).await;
    bench.eventually(&id, "ready", "read_unanswered").await;
    assert_eq!(bench.fake.probes().len(), 5);
    show("Rao");
    // This process started after the update was sent.
    bench.fake.reads(METRICS, &process(NOW));
    let sent = bench.fake.commands().len();
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");
    assert_eq!(bench.fake.probes().len(), 7);
    assert_eq!(
        bench.fake.commands().len(),
        sent,
        "the reading shows the effect, so nothing is sent again"
    );
}
