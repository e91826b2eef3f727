//! `POST /fineract/operations/{id}/retry`: a parked operation continues, a failed one is run again as a new operation.
#![expect(clippy::indexing_slicing, reason = "a missing key fails the test")]

use std::sync::Arc;

use fineract_gateway::{
    domain::{End, ResourceId},
    operations::Deployment,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, client_update, loan_create},
    operators::{Operator, REASON, audit, leave_attempt, on_hold, park, uuid},
};

fn failure(fails_dependents: bool) -> End {
    End::Failed {
        body: Some("{\"httpStatusCode\":\"403\"}".to_owned()),
        message: "Fineract returned 403".to_owned(),
        code: "refused".to_owned(),
        fails_dependents,
    }
}

fn tracking_id(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let tracking_id = answer.json()["tracking_id"].take();
    tracking_id.as_str().expect("a tracking id").to_owned()
}

#[sqlx::test]
async fn a_parked_one_is_ready_at_once_with_its_key_and_its_attempts(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C")).await;
    park(&pool, &id).await;
    leave_attempt(&pool, &id).await;
    let parked = operator.inspect(&id).await;

    let answer = operator.act(&id, "retry").await;
    assert_eq!(tracking_id(&answer), id);
    assert_eq!(
        answer.json(),
        json!({ "tracking_id": id, "status": "processing" })
    );

    let ready = operator.inspect(&id).await;
    assert_eq!(ready["state"], "ready");
    assert_eq!(
        (&ready["reason_code"], &ready["reason_since"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        ready["lost"], 0,
        "otherwise it would be parked again at once"
    );
    assert_eq!(ready["attempts"], parked["attempts"]);
    assert_eq!(ready["key_number"], 1);
    let detail = json!({ "state": "parked", "reason_code": "evidence_cannot_tell" });
    assert_eq!(
        audit(&pool, &id).await,
        [json!(["admin", "retry", "request-1", detail])]
    );
    gateway.end_next(failure(false)).await;
    assert_eq!(operator.inspect(&id).await["state"], "failed");
}

#[sqlx::test]
async fn a_failed_one_is_accepted_anew_once(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let first = gateway.accept(&client_create("C")).await;
    // Because of this failure, operations behind it fail, but a retry that corrects it does not.
    gateway.end_next(failure(true)).await;

    let answer = operator.act(&first, "retry").await;
    let second = tracking_id(&answer);
    assert_ne!(second, first);
    assert_eq!(
        answer.json(),
        json!({ "tracking_id": second, "retry_of": first, "status": "processing" })
    );
    assert_eq!(answer.header("location"), format!("../{}", uuid(&second)));
    let retry = operator.inspect(&second).await;
    assert_eq!(retry["state"], "ready");
    assert_eq!(retry["retry_of"], *first);
    assert_eq!(retry["payload"], client_create("C")["data"]);
    assert_eq!(
        retry["caller"], "los",
        "the caller of the retry is the original caller, not the operator"
    );
    assert_eq!(operator.inspect(&first).await["retried_by"], *second);
    let detail = json!({ "state": "failed", "retry": uuid(&second) });
    assert_eq!(
        audit(&pool, &first).await,
        [json!(["admin", "retry", "request-1", detail])]
    );

    let again = operator.act(&first, "retry").await;
    assert_eq!(again.problem(), (409, "operation_retried".to_owned()));
    assert!(again.text.contains(&second), "{}", again.text);
    while gateway.store.fail_some_dependents().await.unwrap() {}
    gateway.end_next(failure(false)).await;
    let third = tracking_id(&operator.act(&second, "retry").await);
    assert_eq!(operator.inspect(&third).await["retry_of"], *second);
}

#[sqlx::test]
async fn a_retry_stands_at_the_tails_of_its_lanes(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let loan = gateway.accept(&loan_create("L", "C")).await;
    gateway.end_next(failure(false)).await;
    let client = gateway.accept(&client_create("C")).await;

    let retry = tracking_id(&operator.act(&loan, "retry").await);
    let inspected = operator.inspect(&retry).await;
    assert_eq!(inspected["state"], "waiting");
    assert_eq!(
        inspected["lanes"],
        json!([
            { "lane": "loan:l", "position": 2, "writes": true },
            { "lane": "client:c", "position": 3, "writes": false }
        ])
    );
    assert_eq!(inspected["waits_for"][0]["tracking_id"], *client);
    gateway
        .end_next(End::Succeeded {
            body: "{}".to_owned(),
            resource_id: ResourceId::Known {
                number: 1,
                external_id: None,
            },
        })
        .await;
    assert_eq!(operator.inspect(&retry).await["state"], "ready");
}

#[sqlx::test]
async fn of_two_retries_of_one_failure_exactly_one_is_accepted(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    for round in 0..10 {
        let id = gateway.accept(&client_create(&format!("C-{round}"))).await;
        gateway.end_next(failure(false)).await;
        let (one, other) = tokio::join!(operator.act(&id, "retry"), operator.act(&id, "retry"));
        let (won, lost) = if one.status == StatusCode::ACCEPTED {
            (one, other)
        } else {
            (other, one)
        };
        assert_eq!(lost.problem(), (409, "operation_retried".to_owned()));
        assert!(lost.text.contains(&tracking_id(&won)), "{}", lost.text);
        gateway.end_next(failure(false)).await;
    }
}

#[sqlx::test]
async fn what_goes_on_by_itself_or_succeeded_is_not_run_again(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let succeeded = gateway.accept(&client_create("A")).await;
    gateway
        .end_next(End::Succeeded {
            body: "{}".to_owned(),
            resource_id: ResourceId::Known {
                number: 1,
                external_id: None,
            },
        })
        .await;
    let ready = gateway.accept(&client_create("C")).await;
    let waiting = gateway.accept(&loan_create("L", "C")).await;
    for (id, code) in [
        (&succeeded, "operation_ended"),
        (&ready, "operation_under_way"),
        (&waiting, "operation_under_way"),
    ] {
        let answer = operator.act(id, "retry").await;
        assert_eq!(answer.problem(), (409, code.to_owned()));
        assert_eq!(audit(&pool, id).await.len(), 0);
    }
}

#[sqlx::test]
async fn a_payload_that_is_no_longer_valid_is_refused_as_at_the_door(pool: PgPool) {
    let id = {
        let gateway = TestGateway::start(pool.clone()).await;
        let id = gateway.accept(&loan_create("L", "C")).await;
        gateway.end_next(failure(false)).await;
        id
    };
    let gateway = TestGateway::start_with(pool.clone(), |state| {
        state.deployment = Arc::new(Deployment {
            lenders: vec![("DMI".to_owned(), "DMI".to_owned())],
            ..(*state.deployment).clone()
        });
    })
    .await;
    let answer = Operator::of(gateway.address).act(&id, "retry").await;
    assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
    assert_eq!(answer.json()["errors"][0]["pointer"], "/data/lenderConfig");
    assert_eq!(audit(&pool, &id).await.len(), 0);
}

/// Only an operator releases what an operator has put on hold.
#[sqlx::test]
async fn what_was_on_hold_stays_on_hold_when_it_runs_again(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    gateway.accept(&client_create("C")).await;
    let held = gateway.accept(&client_update("C")).await;
    let other = gateway.accept(&client_update("C")).await;
    operator.act(&held, "hold").await;
    gateway.end_next(failure(true)).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    for (id, was_held) in [(&held, true), (&other, false)] {
        assert_eq!(operator.inspect(id).await["state"], "failed");
        let retry = tracking_id(&operator.act(id, "retry").await);
        assert_eq!(on_hold(&pool, &retry).await, (was_held, false));
    }
    let retry = operator.inspect(&held).await["retried_by"].take();
    let inspected = operator.inspect(retry.as_str().unwrap()).await;
    let last = &inspected["audit"][0];
    assert_eq!(
        (&last["action"], &last["operator"]),
        (&json!("hold"), &json!("admin"))
    );
    let reason = format!("it runs again what admin had put on hold: {REASON}");
    assert_eq!(last["reason"], reason);
    let released = operator.act(retry.as_str().unwrap(), "release").await;
    assert_eq!(released.status, StatusCode::OK, "{}", released.text);
}
