//! Keys so old that Fineract may have purged them: sent again, their commands would run anew.

use reqwest::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use super::{Bench, LOAN_DONE, approve, approved_by, loan, stands};
use crate::support::{
    OPS_TOKEN,
    operators::{Operator, park},
    system::Caller,
};

/// Longer than Fineract keeps keys, in seconds.
const FORTY_DAYS: f64 = 3_456_000.0;

/// An update that was sent, and parked, for longer than Fineract keeps keys.
async fn forgotten(bench: &mut Bench, lastname: &str) -> (Caller, Operator, String) {
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    let stored = format!(
        r#"200 {{"id":7,"externalId":"C-1","officeId":1,"firstname":"A","lastname":"{lastname}",
            "activationDate":[2026,1,1],"timeline":{{}}}}"#
    );
    let read = |lastname: &str| stored.replace(&format!("\"{lastname}\""), "\"B\"");
    for path in ["/clients/external-id/C-1", "/clients/7"] {
        bench.fake.reads(path, &read(lastname));
    }
    bench.fake.answers("/clients/7", &["close"]);
    let gateway = bench.gateway().await;
    let operator = Operator::of(gateway.address);
    let update = json!({ "externalId": "C-1", "lastname": "Rao" });
    let id = gateway.send("CLIENT_UPDATE", update).await;
    bench.until(&id, "ready", "connection_closed").await;
    park(&bench.pool, &id).await;
    for path in ["/clients/external-id/C-1", "/clients/7"] {
        bench.fake.reads(path, &stored);
    }
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
    assert_eq!(bench.fake.commands().len(), sent, "the key would run anew");
}

#[sqlx::test]
async fn an_update_that_is_forgotten_does_not_overwrite_what_came_later(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    let (_gateway, operator, id) = forgotten(&mut bench, "Later").await;
    let sent = bench.fake.commands().len();
    operator.act(&id, "retry").await;
    bench.until(&id, "ready", "an_attempt_may_still_run").await;
    assert_eq!(bench.fake.commands().len(), sent);
}

/// Asking an old key of an approval would approve anew what is about to be taken back.
#[sqlx::test]
async fn a_forgotten_key_is_not_asked_before_an_undo(pool: PgPool) {
    let bench = Bench::start(pool).await;
    stands(&bench.fake, &loan(&[]));
    bench.fake.answers("command=approve", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve()).await;
    bench.until_commands(3).await;
    assert!(gateway.shut_down().await);
    bench.age(400.0).await;
    let gateway = bench.gateway().await;
    bench.until(&id, "ready", "left_without_effect").await;
    bench.fake.answers("command=approve", &[LOAN_DONE]);
    assert_eq!(bench.end_of(&gateway, &id).await["status"], "success");
    bench.age(FORTY_DAYS).await;
    stands(&bench.fake, &approved_by("gateway"));
    bench.fake.answers("undoapproval", &[LOAN_DONE]);
    let sent = bench.fake.commands().len();
    let undo = json!({ "external_loan_id": "L-1" });
    let undo = gateway.send("LOAN_UNDO_APPROVAL", undo).await;
    bench
        .until(&undo, "ready", "an_attempt_may_still_run")
        .await;
    assert_eq!(bench.fake.commands().len(), sent);
}
