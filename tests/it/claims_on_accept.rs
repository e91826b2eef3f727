//! A worker claims an operation in the statement that accepts it, and commits the first attempt with it.

use std::time::Duration;

use fineract_gateway::{
    domain::{Failure, Method, Outcome, Reply, Request},
    store::{self, Claimed, Completion, Offer, Pool, SeenLoan, StartAttempt},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::mpsc::{UnboundedReceiver, error::TryRecvError, unbounded_channel};

use crate::support::{
    TestGateway,
    database::{eventually_true, eventually_waits_for_lock},
    eventually::eventually,
    fixtures::{
        FUTURE, PAST, client, client_create, done, expiring, loan, loan_approve, loan_create,
    },
    operators::{Operator, uuid},
    system::System,
};

type Taken = UnboundedReceiver<(Claimed, Option<StartAttempt>)>;

/// Offers to claim every operation, in this epoch, with an attempt that is committed together with the claim.
fn offer(gateway: &TestGateway, epoch: i32) -> Taken {
    let (sender, taken) = unbounded_channel();
    gateway.store.claim_on_accept(move |new| {
        let sender = sender.clone();
        Some(Offer {
            lease: Duration::from_mins(10),
            epoch,
            attempt: Some(StartAttempt {
                id: new.id,
                number: 1,
                key_number: 1,
                request: Request {
                    method: Method::Post,
                    path: "/clients".to_owned(),
                    body: Some("{}".to_owned()),
                },
                effect_preexisted: false,
                may_have_run: false,
                seen: SeenLoan::default(),
                user: "mifos".to_owned(),
                referents: Vec::new(),
                epoch,
            }),
            run: Box::new(move |claimed, attempt| {
                sender.send((claimed, attempt)).expect("the test receives");
            }),
        })
    });
    taken
}

/// The state of an operation, the number of its claims, and its attempts.
async fn row(pool: &PgPool, id: &str) -> (String, i32, i64) {
    let row = sqlx::query!(
        r#"SELECT state, attempt, (SELECT count(*) FROM attempt a WHERE a.operation_id = o.id) AS "attempts!"
             FROM operation o WHERE id = $1"#,
        uuid(id)
    )
    .fetch_one(pool)
    .await
    .unwrap();
    (row.state, row.attempt, row.attempts)
}

#[sqlx::test]
async fn an_operation_that_may_run_is_claimed_with_its_acceptance(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut taken = offer(&gateway, 1);
    let id = gateway.accept(&client_create("C")).await;
    assert_eq!(row(&pool, &id).await, ("running".to_owned(), 1, 1));
    let (claimed, attempt) = taken.try_recv().expect("it was claimed");
    assert_eq!((claimed.id.0, claimed.attempt), (uuid(&id), 1));
    assert_eq!(attempt.expect("its attempt was committed").id, claimed.id);
    let outcome = Outcome::End(done());
    let completed = gateway
        .store
        .complete(Completion::of(&claimed, None, outcome))
        .await;
    assert!(completed.unwrap(), "the claim has a lease");
}

#[sqlx::test]
async fn what_may_not_run_now_is_only_accepted(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut taken = offer(&gateway, 1);
    let first = gateway.accept(&loan_create("L", "C")).await;
    taken.try_recv().expect("the lanes were free");
    let behind = gateway.accept(&loan_approve("L")).await;
    let expired = gateway.accept(&expiring(client_create("D"), PAST)).await;
    store::hold_all(&Pool::from(pool.clone()), "a test", "admin")
        .await
        .unwrap();
    let on_hold = gateway.accept(&client_create("E")).await;
    assert_eq!(taken.try_recv().map(drop), Err(TryRecvError::Empty));
    for (id, state) in [(behind, "waiting"), (expired, "ready"), (on_hold, "ready")] {
        assert_eq!(row(&pool, &id).await, (state.to_owned(), 0, 0), "{id}");
    }
    assert_eq!(row(&pool, &first).await, ("running".to_owned(), 1, 1));
}

#[sqlx::test]
async fn an_offer_for_other_books_claims_nothing(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut taken = offer(&gateway, 2);
    let id = gateway.accept(&client_create("C")).await;
    assert_eq!(row(&pool, &id).await, ("ready".to_owned(), 0, 0));
    assert_eq!(taken.try_recv().map(drop), Err(TryRecvError::Empty));
}

/// A defect of the worker that concerns one payload must not stop the acceptance of all operations.
#[sqlx::test]
async fn an_offer_that_panics_is_no_offer(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway
        .store
        .claim_on_accept(|new| panic!("no offer for {}", new.operation_type));
    for name in ["C", "D"] {
        let id = gateway.accept(&client_create(name)).await;
        assert_eq!(row(&pool, &id).await, ("ready".to_owned(), 0, 0));
    }
}

/// The worker commits an attempt with the claim, and then may not send its command. Nothing has left the gateway, so the
/// operation can be cancelled, and can expire.
#[sqlx::test]
async fn an_attempt_that_was_not_sent_counts_as_none(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut taken = offer(&gateway, 1);
    let mut ids = Vec::new();
    for name in ["C", "D"] {
        ids.push(gateway.accept(&expiring(client_create(name), FUTURE)).await);
        let (claimed, _) = taken.try_recv().expect("it was claimed");
        let outcome = Outcome::Retry {
            delay: Duration::from_hours(1),
            new_key: false,
            reason_code: "handed_back",
            counts: None,
        };
        let reply = Some(Reply::Failure(Failure::NotSent));
        let completed = gateway
            .store
            .complete(Completion::of(&claimed, reply, outcome))
            .await;
        assert!(completed.unwrap());
    }
    let cancelled = Operator::of(gateway.address).act(&ids[0], "cancel").await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.text);
    sqlx::query!(
        "UPDATE operation SET expires_at = now() WHERE id = $1",
        uuid(&ids[1])
    )
    .execute(&pool)
    .await
    .unwrap();
    while gateway.store.end_expired().await.unwrap() {}
    for id in ids {
        assert_eq!(row(&pool, &id).await.0, "failed");
    }
}

/// An attempt that was committed with the claim and has no answer may have been sent.
#[sqlx::test]
async fn an_attempt_without_an_answer_prevents_a_cancel(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let _taken = offer(&gateway, 1);
    let id = gateway.accept(&client_create("C")).await;
    let cancelled = Operator::of(gateway.address).act(&id, "cancel").await;
    assert_eq!(cancelled.status, StatusCode::CONFLICT, "{}", cancelled.text);
    assert_eq!(row(&pool, &id).await, ("running".to_owned(), 1, 1));
}

/// Another session has locked a lane. An acceptance waits for the lock, and behind it the completion of the operation that
/// is first in the lane. The completion began before the acceptance was committed, and must admit its operation.
#[sqlx::test]
async fn what_is_accepted_while_the_lane_is_completed_is_not_stranded(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut taken = offer(&gateway, 1);
    gateway.accept(&loan_create("L", "C")).await;
    let (claimed, _) = taken.try_recv().expect("the lanes were free");
    let mut other = pool.begin().await.unwrap();
    sqlx::query!("SELECT FROM lane WHERE key = 'loan:l' FOR UPDATE")
        .execute(&mut *other)
        .await
        .unwrap();
    let body = loan_approve("L");
    let accepting = gateway.accept(&body);
    let completing = async {
        eventually_waits_for_lock(&pool).await;
        let ended = Completion::of(&claimed, None, Outcome::End(done()));
        gateway.store.complete(ended).await
    };
    let releasing = async {
        let two_wait = "SELECT count(*) = 2 FROM pg_stat_activity
                         WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually_true(&pool, two_wait).await;
        other.rollback().await.unwrap();
    };
    let (id, completed, ()) = tokio::join!(accepting, completing, releasing);
    assert!(completed.unwrap());
    let state = row(&pool, &id).await.0;
    assert!(state == "ready" || state == "running", "{state}");
}

/// With a whole gateway: nothing has to be read before a client is created, so its command is committed with its
/// acceptance as soon as the gateway knows that Fineract honours its key.
#[sqlx::test]
async fn a_running_gateway_commits_the_first_attempt_with_the_acceptance(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("C-0")).await;
    for number in 1..=20 {
        gateway
            .succeeds("CLIENT_CREATE", client(&format!("C-{number}")))
            .await;
    }
    let together = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM operation o JOIN attempt a ON a.operation_id = o.id
            WHERE a.sent_at = o.accepted_at"#
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(together > 0, "no attempt was committed with its acceptance");
    assert_eq!(system.ledger().await.len(), 21);
    let ledger: Vec<Value> = system.ledger().await;
    assert!(
        ledger
            .iter()
            .all(|entry| entry["action"] == json!("CREATE"))
    );
    assert!(gateway.shut_down().await);
}

/// Two loans of a lender are created at a time, so a loan is claimed with its acceptance if its lender has room. Neither the
/// operation nor its payload was changed since they were inserted together.
#[sqlx::test]
async fn a_loan_is_claimed_with_its_acceptance(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("C")).await;
    let matching = json!({"method": "POST", "path": "/loans"});
    let slow = json!({"match": matching, "fault": "slow", "times": 99, "delay_ms": 200});
    system.fault(slow).await;
    let mut number = 0;
    eventually("a loan is claimed with its acceptance", async || {
        number += 1;
        let loan = loan(&format!("L-{number}"), "C");
        gateway.send("LOAN_CREATE", loan).await;
        sqlx::query_scalar::<_, bool>(
            "SELECT EXISTS (SELECT FROM operation o JOIN payload p ON p.operation_id = o.id
              WHERE o.lender IS NOT NULL AND o.state = 'running' AND o.xmin = p.xmin)",
        )
        .fetch_one(&pool)
        .await
        .unwrap()
    })
    .await;
    assert!(gateway.shut_down().await);
}
