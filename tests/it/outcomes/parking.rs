//! What counts towards parking an operation, and what does not.

use reqwest::StatusCode;
use sqlx::PgPool;

use super::{Bench, Standing};
use crate::{
    fake_fineract::refusal,
    support::{
        OPS_TOKEN,
        fixtures::{approve, disburse, show_loan, shown_loan},
        operators::Operator,
    },
};

/// An outage is not caused by an operation, so it does not count towards parking.
#[sqlx::test]
async fn an_outage_that_has_ended_parks_nothing(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("approve", &["hang"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench.eventually(&id, "ready", "answer_timed_out").await;
    bench.age_troubles().await;
    let locked = refusal(409, "error.msg.loan.locked");
    bench.fake.answers("approve", &[&locked]);
    bench.eventually(&id, "ready", "locked_in_fineract").await;
    // From now on, the time counts.
    bench.age_troubles().await;
    bench.eventually(&id, "parked", "locked_in_fineract").await;
}

/// No worker could claim the operation, because none ran or the circuit breaker was open. That time does not count.
#[sqlx::test]
async fn time_in_which_nobody_could_take_it_parks_nothing(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    let locked = refusal(409, "error.msg.loan.locked");
    bench.fake.answers("approve", &[&locked]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench.eventually(&id, "ready", "locked_in_fineract").await;
    assert!(gateway.shut_down().await);
    sqlx::query!(
        "UPDATE operation SET reason_since = reason_since - interval '2 days', due_at = reason_since - interval '2 days'"
    )
    .execute(&bench.pool)
    .await
    .unwrap();
    let claims = bench.claims(&id).await;
    let _gateway = bench.gateway().await;
    bench.until_claims(&id, claims + 1).await;
    let standing = bench.standing(&id).await;
    assert_eq!(standing.reason_code.as_deref(), Some("locked_in_fineract"));
    assert_eq!(standing.state, "ready");
}

#[sqlx::test]
async fn a_hold_that_has_ended_parks_nothing(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    show_loan(&bench.fake, &shown_loan(&[]));
    let locked = refusal(409, "error.msg.loan.locked");
    bench.fake.answers("approve", &[&locked]);
    let gateway = bench.gateway().await;
    let operator = Operator::of(gateway.address);
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench.eventually(&id, "ready", "locked_in_fineract").await;
    assert_eq!(operator.act(&id, "hold").await.status, StatusCode::OK);
    bench.age_troubles().await;
    assert_eq!(operator.act(&id, "release").await.status, StatusCode::OK);
    bench.until_claimed(&id, 1).await;
    bench.eventually(&id, "ready", "locked_in_fineract").await;
}

/// An operation that has killed its worker five times before anything was sent is parked. An operator may cancel it,
/// because it is certain that nothing was sent.
#[sqlx::test]
async fn what_kills_its_worker_is_parked_and_may_be_cancelled(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    bench.system.set("API_KEYS", "lender=lender-key");
    show_loan(&bench.fake, "hang");
    let gateway = bench.gateway().await;
    let operator = Operator::of(gateway.address);
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench.eventually(&id, "ready", "read_unanswered").await;
    sqlx::query!("UPDATE operation SET deaths = 5")
        .execute(&bench.pool)
        .await
        .unwrap();
    bench.eventually(&id, "parked", "kills_its_worker").await;
    let seen = gateway.transaction(&id, "lender-key").await;
    assert_eq!(seen["status"], "on_hold");
    assert_eq!(operator.act(&id, "cancel").await.status, StatusCode::OK);
    assert_eq!(
        gateway.transaction(&id, "lender-key").await["status"],
        "canceled"
    );
}

/// If a process dies, operations that were claimed but not yet begun are not the cause.
#[sqlx::test]
async fn only_a_claim_that_was_begun_alone_counts_from_the_second_death_on(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, "hang");
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench.eventually(&id, "ready", "read_unanswered").await;
    assert!(gateway.shut_down().await);
    let die = async |begun: bool| {
        sqlx::query!(
            "UPDATE operation SET state = 'running', due_at = now(), attempt = attempt + 1,
                                  begun = CASE WHEN $1 THEN attempt + 1 END",
            begun
        )
        .execute(&bench.pool)
        .await
        .unwrap();
        let claims = bench.claims(&id).await;
        let gateway = bench.gateway().await;
        bench.until_claims(&id, claims + 1).await;
        assert!(gateway.shut_down().await);
        sqlx::query!("SELECT deaths, lost, begun = attempt AS begun_alone FROM operation")
            .fetch_one(&bench.pool)
            .await
            .unwrap()
    };
    for (begun, deaths, runs_alone) in [
        (false, 1, false),
        (false, 2, true),
        (false, 2, true),
        (true, 3, true),
        (true, 4, true),
    ] {
        let row = die(begun).await;
        assert_eq!((row.deaths, row.lost), (deaths, 0));
        assert_eq!(row.begun_alone.unwrap_or(false), runs_alone, "{deaths}");
    }
    die(true).await;
    let expected = Standing {
        state: "parked".to_owned(),
        reason_code: Some("kills_its_worker".to_owned()),
    };
    assert_eq!(bench.standing(&id).await, expected);
}
