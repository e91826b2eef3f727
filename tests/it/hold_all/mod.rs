//! Tests of hold-all: everything on hold, for every gateway on the database.

mod lifting;
mod restored;

use std::time::Duration;

use fineract_gateway::{
    domain::{Method, OperationId, OperationType, Outcome, Request, TrackingId},
    store::{self, Completion, Pool, SeenLoan, StartAttempt},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Answer, OPS_TOKEN, TestGateway, claim_limits,
    command::run,
    database::{eventually_true, url},
    eventually::eventually,
    fixtures::{client, client_create, done},
    operators::{Operator, on_hold},
    system::System,
};

const REASON: &str = "restored from the backup of 10:00";

/// Puts everything on hold. Returns the number of operations put on hold, and of commands that were under way.
async fn hold_all(pool: &PgPool) -> (u64, u64) {
    let covered = store::hold_all(&Pool::from(pool.clone()), REASON, "admin").await;
    let covered = covered.expect("the database is there");
    (covered.operations, covered.under_way)
}

fn start(id: OperationId, number: i32) -> StartAttempt {
    StartAttempt {
        id,
        number,
        key_number: 1,
        request: Request {
            method: Method::Post,
            path: "/clients".to_owned(),
            body: None,
        },
        effect_preexisted: false,
        may_have_run: false,
        seen: SeenLoan::default(),
        user: "mifos".to_owned(),
        referents: Vec::new(),
        epoch: 1,
    }
}

#[sqlx::test]
async fn nothing_is_claimed_or_begun_and_what_had_begun_ends(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let limits = claim_limits(1, OperationType::ALL);
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(gateway.accept(&client_create(&format!("C-{number}"))).await);
    }
    // Of three operations, one has an attempt, one is claimed, and one is ready.
    let begun = gateway.store.claim(&limits).await.unwrap().remove(0);
    let started = gateway.store.start_attempt(start(begun.id, 1)).await;
    assert!(started.unwrap());
    let claimed = gateway.store.claim(&limits).await.unwrap().remove(0);

    assert_eq!(hold_all(&pool).await, (3, 1));
    ids.push(gateway.accept(&client_create("C-3")).await);
    for id in &ids {
        assert_eq!(on_hold(&pool, id).await, (true, true), "{id}");
    }
    let started = gateway.store.start_attempt(start(claimed.id, 1)).await;
    assert!(
        !started.unwrap(),
        "the operation was claimed before the hold"
    );
    let complete = async |claimed: store::Claimed, outcome| {
        let completion = Completion::of(&claimed, None, outcome);
        assert!(gateway.store.complete(completion).await.unwrap());
    };
    let again = Outcome::Retry {
        delay: Duration::ZERO,
        new_key: false,
        reason_code: "handed_back",
        counts: None,
    };
    let (begun_id, claimed_id) = (begun.id, claimed.id);
    complete(claimed, again).await;
    complete(begun, Outcome::End(done())).await;
    let ended: TrackingId = ids[0].parse().unwrap();
    assert_eq!(ended.id, begun_id);
    let limits = claim_limits(10, OperationType::ALL);
    assert!(gateway.store.claim(&limits).await.unwrap().is_empty());

    // An operation whose lease has expired is not claimed again either.
    sqlx::query!(
        "UPDATE operation SET state = 'running', due_at = now() - interval '1 s' WHERE id = $1",
        claimed_id.0
    )
    .execute(&pool)
    .await
    .unwrap();
    assert!(gateway.store.claim(&limits).await.unwrap().is_empty());
}

/// An operation that is just being accepted has already read that nothing is on hold. The hold-all waits for it, and
/// then puts it on hold.
#[sqlx::test]
async fn what_is_just_being_accepted_is_on_hold_as_well(pool: PgPool) {
    // A trigger stops the insert until the test lets it continue.
    sqlx::raw_sql(
        "CREATE FUNCTION stop_here() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM set_config('lock_timeout', '0', true);
             PERFORM pg_advisory_xact_lock_shared(42);
             RETURN NULL;
         END $$;
         CREATE TRIGGER stop_here AFTER INSERT ON operation EXECUTE FUNCTION stop_here()",
    )
    .execute(&pool)
    .await
    .unwrap();
    let gateway = TestGateway::start(pool.clone()).await;
    let mut stopping = pool.begin().await.unwrap();
    sqlx::raw_sql("SELECT pg_advisory_xact_lock(42)")
        .execute(&mut *stopping)
        .await
        .unwrap();
    let stopped = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted)";
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid <> 42 AND NOT granted)
                     OR EXISTS (SELECT FROM hold_all WHERE covers_all_since IS NOT NULL)";
    let body = client_create("C");
    let accepting = gateway.accept(&body);
    let holding = async {
        eventually_true(&pool, stopped).await;
        hold_all(&pool).await
    };
    let letting_go = async {
        eventually_true(&pool, waits).await;
        stopping.rollback().await.unwrap();
    };
    let (id, covered, ()) = tokio::join!(accepting, holding, letting_go);
    assert_eq!(covered, (1, 0));
    assert_eq!(on_hold(&pool, &id).await, (true, true));
    let limits = claim_limits(10, OperationType::ALL);
    assert!(gateway.store.claim(&limits).await.unwrap().is_empty());
}

/// The hold-all works under load, while other sessions have locked some rows for a moment.
#[sqlx::test]
async fn however_much_is_accepted_meanwhile_all_of_it_is_on_hold(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let sending = async |sender: usize| {
        for number in 0..60 {
            gateway
                .accept(&client_create(&format!("C-{sender}-{number}")))
                .await;
        }
    };
    let holding = async {
        eventually("some are there", async || {
            let count = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM operation"#);
            count.fetch_one(&pool).await.unwrap() > 60
        })
        .await;
        let mut locked = pool.begin().await.unwrap();
        sqlx::query!("SELECT id FROM operation ORDER BY id LIMIT 5 FOR UPDATE")
            .fetch_all(&mut *locked)
            .await
            .unwrap();
        let freeing = async {
            eventually("the others are on hold", async || {
                let count = sqlx::query_scalar!(
                    r#"SELECT count(*) AS "n!" FROM operation WHERE on_hold AND read_first"#
                );
                count.fetch_one(&pool).await.unwrap() > 0
            })
            .await;
            locked.rollback().await.unwrap();
        };
        tokio::join!(hold_all(&pool), freeing).0
    };
    let (covered, ..) = tokio::join!(holding, sending(1), sending(2), sending(3), sending(4));
    assert!(covered.0 > 60, "{covered:?}");
    let not_held =
        sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM operation WHERE NOT on_hold"#);
    assert_eq!(not_held.fetch_one(&pool).await.unwrap(), 0);
}

#[sqlx::test]
async fn the_command_and_the_flag_hold_every_gateway(pool: PgPool) {
    let url = url(&pool);
    let database = [("DATABASE_URL", url.as_str())];
    for arguments in [&["hold-all"][..], &["hold-all", "--reason", " "]] {
        assert_eq!(run(arguments, &database).await.code, Some(2));
    }
    let mut system = System::start(&pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    let (first, second) = (system.gateway().await, system.gateway().await);
    first.succeeds("CLIENT_CREATE", client("C-1")).await;
    let ready = |answer: Answer| answer.json()["on_hold_since"].clone();
    assert_eq!(ready(second.get("/readyz").await), Value::Null);

    let held = run(&["hold-all", "--reason", REASON], &database).await;
    assert_eq!(held.code, Some(0), "{}", held.stderr);
    assert_eq!(
        held.stderr.trim_end(),
        "everything is on hold: 0 operations, and all that are accepted from now on; 0 had been sent before and will still end"
    );
    // The gateway still accepts operations.
    let accepted = first.send("CLIENT_CREATE", client("C-2")).await;
    eventually("the other gateway reports the hold", async || {
        let answer = second.get("/readyz").await;
        assert_eq!(answer.status, StatusCode::OK);
        ready(answer).is_string()
    })
    .await;
    let operator = Operator::of(second.address);
    let shown = operator
        .hold(reqwest::Method::GET, "", &Value::Null)
        .await
        .json();
    assert_eq!(
        (
            &shown["hold"]["reason"],
            &shown["hold"]["by"],
            &shown["on_hold"]
        ),
        (
            &json!(REASON),
            &json!("the command line"),
            &json!([{ "type": "CLIENT_CREATE", "count": 1 }])
        )
    );
    eventually("the metrics report the hold", async || {
        let metrics = second.get("/metrics").await.text;
        metrics.contains("gateway_on_hold 1") && metrics.contains("gateway_hold_all 1")
    })
    .await;

    // A gateway that is started with `--on-hold` changes neither an active hold nor released operations.
    assert_eq!(operator.release(json!({ "all": true })).await, 1);
    assert_eq!(first.end_of(&accepted).await["status"], "success");
    let reason = async || {
        let shown = operator.hold(reqwest::Method::GET, "", &Value::Null).await;
        shown.json()["hold"]["reason"].clone()
    };
    let listen = first.address.to_string();
    let serve = async |flag: &str| {
        // Its address is in use, so the process ends after it has handled the flag.
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("HTTP_LISTEN", listen.as_str()),
            ("INTERNAL_TOKENS", "los=secret"),
            ("ROLE", "api"),
        ];
        let ended = run(&["serve", flag], &settings).await;
        assert!(
            ended.stderr.contains("cannot listen on HTTP_LISTEN"),
            "{}",
            ended.stderr
        );
    };
    serve("--on-hold").await;
    assert_eq!(reason().await, REASON);
    let accepted = first.send("CLIENT_CREATE", client("C-3")).await;
    assert_eq!(
        operator.release(json!({ "type": "CLIENT_CREATE" })).await,
        1
    );
    serve("--on-hold").await;
    assert_eq!(first.end_of(&accepted).await["status"], "success");
    let all_is_well = json!({ "reason": "all is well" });
    let ended = operator
        .hold(reqwest::Method::POST, "/end", &all_is_well)
        .await;
    assert_eq!(ended.json()["hold"], Value::Null);
    first.succeeds("CLIENT_CREATE", client("C-4")).await;

    // If no hold is active, `--on-hold` begins one before the gateway runs anything.
    serve("--on-hold=moved house").await;
    assert_eq!(reason().await, "moved house");
    let accepted = first.send("CLIENT_CREATE", client("C-5")).await;
    assert_eq!(on_hold(&pool, &accepted).await, (true, true));
    assert_eq!(system.ledger().await.len(), 4);
    assert!(first.shut_down().await && second.shut_down().await);
}
