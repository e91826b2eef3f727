//! `POST /fineract/operations/{id}/cancel` ends only operations that were never sent, and then their dependents.

use fineract_gateway::{
    domain::{End, OperationType, Outcome},
    store::{Claimed, Completion},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    TestGateway, claim_limits,
    fixtures::{client_create, client_update, loan_approve, loan_create},
    operators::{Operator, audit, leave_attempt, park},
};

async fn claim(gateway: &TestGateway, count: i64) -> Vec<Claimed> {
    let limits = claim_limits(count, OperationType::ALL);
    let claimed = gateway.store.claim(&limits).await;
    claimed.expect("the database is there")
}

#[sqlx::test]
async fn what_was_never_sent_ends_whether_waiting_ready_or_parked(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let ready = gateway.accept(&client_update("A")).await;
    let waiting = gateway.accept(&client_update("A")).await;
    let parked = gateway.accept(&client_update("B")).await;
    park(&pool, &parked).await;
    for (id, state) in [
        (&waiting, "waiting"),
        (&ready, "ready"),
        (&parked, "parked"),
    ] {
        assert_eq!(operator.inspect(id).await["state"], state);
        let answer = operator.act(id, "cancel").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(
            answer.json(),
            json!({ "tracking_id": id, "status": "failed" })
        );
        let uuid = id.split_once('|').unwrap().1;
        assert_eq!(answer.header("location"), format!("../{uuid}"));

        let end = gateway.track(id).await;
        assert_eq!(end["status"], "failed");
        assert_eq!(end["error_message"], "Cancelled before it was sent");
        assert_eq!(end["failure_response"], Value::Null);
        assert_eq!(operator.inspect(id).await["result"]["code"], "cancelled");
        assert_eq!(
            audit(&pool, id).await,
            [json!(["admin", "cancel", "request-1", { "state": state }])]
        );
        let again = operator.act(id, "cancel").await;
        assert_eq!(again.problem(), (409, "operation_ended".to_owned()));
    }
    let left = sqlx::query_scalar!("SELECT count(*) FROM lane_entry")
        .fetch_one(&pool)
        .await;
    assert_eq!(left.unwrap(), Some(0));
}

#[sqlx::test]
async fn what_runs_or_may_have_been_sent_goes_on(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let sent = gateway.accept(&client_update("A")).await;
    park(&pool, &sent).await;
    leave_attempt(&pool, &sent).await;
    let running = gateway.accept(&client_update("B")).await;
    assert_eq!(claim(&gateway, 9).await.len(), 1);
    for (id, code) in [(&sent, "operation_sent"), (&running, "operation_running")] {
        // The first look is in the audit, which the second one shows.
        operator.inspect(id).await;
        let before = operator.inspect(id).await;
        let answer = operator.act(id, "cancel").await;
        assert_eq!(answer.problem(), (409, code.to_owned()));
        assert_eq!(operator.inspect(id).await, before);
        assert_eq!(audit(&pool, id).await.len(), 0);
    }
}

#[sqlx::test]
async fn those_that_rest_on_it_fall_with_it_and_the_others_go_on(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let client = gateway.accept(&client_create("C")).await;
    let loan = gateway.accept(&loan_create("L", "C")).await;
    let approve = gateway.accept(&loan_approve("L")).await;
    let update = gateway.accept(&client_update("D")).await;
    let behind_update = gateway.accept(&client_update("D")).await;
    for id in [&client, &update] {
        assert_eq!(operator.act(id, "cancel").await.status, StatusCode::OK);
    }
    while gateway.store.fail_some_dependents().await.unwrap() {}
    for (id, cause) in [(&loan, &client), (&approve, &client)] {
        let fallen = gateway.track(id).await;
        let message = fallen["error_message"].as_str().unwrap();
        let names = message.starts_with("Not sent: ");
        assert!(
            names && (message.contains(cause.as_str()) || message.contains(&loan)),
            "{message}"
        );
    }
    assert_eq!(operator.inspect(&behind_update).await["state"], "ready");
    // The end of the cancelled operation has been read. So new operations do not depend on it.
    gateway.track(&client).await;
    let anew = gateway.accept(&client_create("C")).await;
    assert_eq!(operator.inspect(&anew).await["state"], "ready");
}

#[sqlx::test]
async fn of_a_cancel_and_a_claim_exactly_one_wins(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let mut cancelled = 0;
    for round in 0..60 {
        let id = gateway.accept(&client_update(&format!("A-{round}"))).await;
        let claim = async {
            // The claim is delayed by some queries, so that in some rounds the cancel is first and in others the claim.
            for _ in 0..round % 10 {
                gateway.store.check().await.expect("the database is there");
            }
            claim(&gateway, 1).await
        };
        let (answer, claimed) = tokio::join!(operator.act(&id, "cancel"), claim);
        let is_cancelled = answer.status == StatusCode::OK;
        assert_ne!(
            is_cancelled,
            claimed.len() == 1,
            "{}: {claimed:?}",
            answer.text
        );
        if is_cancelled {
            cancelled += 1;
            assert_eq!(operator.inspect(&id).await["state"], "failed");
        } else {
            assert_eq!(answer.problem().1, "operation_running");
        }
        for claimed in claimed {
            let completion = Completion::of(
                &claimed,
                None,
                Outcome::End(End::Failed {
                    body: None,
                    message: "refused".to_owned(),
                    code: "test".to_owned(),
                    fails_dependents: false,
                }),
            );
            assert!(gateway.store.complete(completion).await.unwrap());
        }
    }
    assert!((1..60).contains(&cancelled), "{cancelled} cancels won");
}
