//! Actions on operations that are named by their ids.

use serde_json::Value;
use sqlx::PgPool;

use super::{ops, printed};
use crate::support::{
    TestGateway,
    fixtures::client_create,
    operators::{Operator, park},
};

#[sqlx::test]
async fn a_dry_run_changes_nothing_and_an_action_needs_a_reason(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C")).await;
    let other = gateway.accept(&client_create("D")).await;
    park(&pool, &other).await;

    let ended = ops(
        gateway.address,
        &["release", &id, "--reason", "test", "--dry-run"],
    )
    .await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .starts_with(&format!("{id}  release: not possible: ")),
        "{}",
        ended.stdout
    );
    let dry = printed(
        gateway.address,
        &["cancel", &id, "--reason", "test", "--dry-run"],
    )
    .await;
    assert_eq!(dry, format!("{id}  cancel: possible\n"));
    assert_eq!(operator.inspect(&id).await["state"], "ready");
    let without = ops(gateway.address, &["cancel", &id]).await;
    assert_eq!(without.code, Some(2), "{}", without.stdout);
    assert!(without.stderr.contains("--reason"), "{}", without.stderr);
}

#[sqlx::test]
async fn each_action_is_carried_out_and_its_reason_is_in_the_audit(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(gateway.accept(&client_create(&format!("C-{number}"))).await);
    }
    let [first, second, third, fourth] = &ids[..] else {
        panic!("four operations");
    };
    park(&pool, third).await;
    park(&pool, fourth).await;
    for (action, subjects, more, expected) in [
        ("hold", vec![first, second], &[][..], "on_hold"),
        ("release", vec![first], &[], "processing"),
        ("cancel", vec![second], &[], "failed"),
        ("retry", vec![third], &[], "processing"),
        (
            "resolve",
            vec![fourth],
            &["--outcome", "succeeded"],
            "processing",
        ),
    ] {
        let named: Vec<_> = subjects.iter().map(|id| id.as_str()).collect();
        let reason = format!("because of {action}");
        let arguments = [&[action][..], &named, more, &["--reason", &reason]].concat();
        let said = printed(gateway.address, &arguments).await;
        let lines = named.iter().map(|id| format!("{id}  {expected}\n"));
        assert_eq!(said, lines.collect::<String>(), "{action}");
        for id in named {
            let audit = operator.inspect(id).await["audit"].clone();
            let last = audit.as_array().and_then(|audit| audit.last()).cloned();
            let last = last.expect("an entry");
            assert_eq!(
                (&last["action"], &last["reason"]),
                (&action.into(), &reason.as_str().into()),
                "{last}"
            );
        }
    }

    // One operation is refused, and the other one is acted on nevertheless.
    let arguments = ["cancel", second, first, "--reason", "test", "--json"];
    let ended = ops(gateway.address, &arguments).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(lines[0]["id"], second.as_str());
    assert!(
        lines[0]["error"]
            .as_str()
            .is_some_and(|error| !error.is_empty())
    );
    assert_eq!(
        (&lines[1]["tracking_id"], &lines[1]["status"]),
        (&first.as_str().into(), &"failed".into())
    );
}
