//! How the gateway limits the load on Fineract, and what `/metrics` reports about it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use fineract_gateway::{
    domain::{Checked, Lane, LaneAccess, OperationId, OperationType},
    store::{ClaimLimits, NewOperation, Store},
};
use fineract_sandbox::Sandbox;
use serde_json::{json, value::RawValue};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{
    TestGateway,
    caller::Caller,
    eventually::eventually,
    fixtures::{client, loan, loan_from},
    system::System,
};

/// The value of a metric: the sum over all series whose labels contain `labels`.
async fn metric(gateway: &Caller, name: &str, labels: &str) -> f64 {
    let answer = gateway.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let series = answer.text.lines().filter_map(|line| line.rsplit_once(' '));
    series
        .filter(|(series, _)| series.split('{').next() == Some(name) && series.contains(labels))
        .map(|(_, value)| value.parse::<f64>().expect("a number"))
        .sum()
}

async fn blocked_by(gateway: &Caller) -> Option<String> {
    let fineract = gateway.get("/readyz").await.json()["fineract"].take();
    fineract["reason"].as_str().map(str::to_owned)
}

async fn accept(store: &Store, lender: Option<&str>) -> OperationId {
    let id = OperationId::new();
    let checked = Checked {
        lanes: LaneAccess {
            writes: Lane::loan(&id.to_string()),
            reads: None,
        },
        lender: lender.map(str::to_owned),
        reference: None,
    };
    let operation = NewOperation {
        id,
        operation_type: OperationType::LoanCreate,
        payload: RawValue::from_string("{}".to_owned()).expect("JSON"),
        checked,
        caller: "los".to_owned(),
        caller_key: None,
        retry_of: None,
        expires_at: None,
        trace_parent: None,
    };
    store.accept(operation).await.expect("it is accepted");
    id
}

#[sqlx::test]
async fn a_claim_takes_of_a_lender_what_it_has_room_for_and_the_rest_of_the_others(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let store = &gateway.store;
    let mut ids = Vec::new();
    for lender in [Some("A"), Some("A"), Some("A"), Some("B"), None, Some("A")] {
        ids.push(accept(store, lender).await);
    }
    let claim = async |held: &[(&str, i64)], count| {
        let limits = ClaimLimits {
            lenders: ["A", "B"].map(str::to_owned).to_vec(),
            count,
            lease: Duration::from_mins(1),
            types: vec!["LOAN_CREATE".to_owned()],
            leased_by_lender: held
                .iter()
                .map(|(lender, held)| ((*lender).to_owned(), *held))
                .collect(),
            per_lender: 2,
        };
        let mut claimed: Vec<_> = store
            .claim(&limits)
            .await
            .expect("a claim")
            .iter()
            .map(|claimed| claimed.id)
            .collect();
        claimed.sort_by_key(|id| id.0);
        claimed
    };
    assert_eq!(
        claim(&[("A", 1)], 2).await,
        [ids[0], ids[3]],
        "there is room for one operation of A; the next ones are passed over"
    );
    assert_eq!(claim(&[("A", 2), ("B", 1)], 9).await, [ids[4]], "A is busy");
    assert_eq!(claim(&[("A", 2)], 9).await, []);
    assert_eq!(claim(&[], 1).await, [ids[1]], "the longest due first");
    assert_eq!(claim(&[("A", 1)], 9).await, [ids[2]]);
    assert_eq!(
        claim(&[("A", 1), ("B", 1)], 9).await,
        [ids[5]],
        "operations that were passed over are unchanged"
    );
}

#[sqlx::test]
async fn one_lenders_loans_are_created_two_at_a_time_and_hold_nobody_up(pool: PgPool) {
    const RUNNING: &str =
        "SELECT count(*) FROM operation WHERE state = 'running' AND lender = 'UGRO'";
    const LEFT: &str = "SELECT count(*) FROM operation WHERE ended_at IS NULL";
    const LAST_TO_END: &str = "SELECT lender FROM operation ORDER BY ended_at DESC LIMIT 1";
    let mut system = System::start(&pool).await;
    let gateway = system.gateway().await;
    assert_eq!(
        gateway.run("CLIENT_CREATE", client("C")).await["status"],
        "success"
    );
    assert!(gateway.shut_down().await);
    system.set("ROLE", "api");
    let door = system.gateway().await;
    for n in 0..8 {
        let loan = loan(&format!("L-{n}"), "C");
        door.send("LOAN_CREATE", loan).await;
    }
    door.send("LOAN_CREATE", loan_from("DMI", "OTHER", "C"))
        .await;
    door.send("CLIENT_CREATE", client("D")).await;
    let matching = json!({"method": "POST", "path": "/loans"});
    let slow = json!({"match": matching, "fault": "slow", "times": 9, "delay_ms": 500});
    system.fault(slow).await;

    system.set("ROLE", "all");
    let _worker = system.gateway().await;
    let count = async |of: &'static str| {
        sqlx::query_scalar::<_, i64>(of)
            .fetch_one(&pool)
            .await
            .expect("a count")
    };
    let mut most = 0;
    eventually("all end", async || {
        most = most.max(count(RUNNING).await);
        count(LEFT).await == 0
    })
    .await;
    let last = sqlx::query_scalar::<_, String>(LAST_TO_END)
        .fetch_one(&pool)
        .await;
    assert_eq!(
        last.expect("a lender"),
        "UGRO",
        "the other operations were not delayed"
    );
    assert_eq!(most, 2);
    assert_eq!(system.ledger().await.len(), 11);
}

#[sqlx::test]
async fn a_fineract_that_is_away_is_left_alone_and_used_again_when_it_is_back(pool: PgPool) {
    let mut system = System::start(&pool).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    system.set(
        "FINERACT_URL",
        &format!("http://{address}/fineract-provider/api/v1"),
    );
    let gateway = system.gateway().await;
    let mut accepted = Vec::new();
    for n in 0..30 {
        accepted.push(
            gateway
                .send("CLIENT_CREATE", client(&format!("C-{n}")))
                .await,
        );
    }
    eventually("Fineract is reported unreachable", async || {
        blocked_by(&gateway).await.as_deref() == Some("fineract_unreachable")
    })
    .await;
    assert!(metric(&gateway, "gateway_fineract_blocked", "fineract_unreachable").await > 0.0);
    let tried = async || {
        let claims = sqlx::query_scalar!("SELECT sum(attempt) FROM operation");
        claims
            .fetch_one(&pool)
            .await
            .expect("a sum")
            .unwrap_or_default()
    };
    // The open circuit breaker admits one trial after 1 s, 2 s, 4 s and so on. Without it, there would be 30 claims
    // every half second.
    let (before, since) = (tried().await, Instant::now());
    while since.elapsed() < Duration::from_secs(4) {
        let trials = tried().await - before;
        assert!(trials <= 20, "{trials} claims");
    }

    let listener = TcpListener::bind(address).await.expect("the same port");
    let stop = CancellationToken::new();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(Sandbox::new().serve(listener, stop.clone()));
    for tracking_id in accepted {
        assert_eq!(gateway.end_of(&tracking_id).await["status"], "success");
    }
    assert_eq!(blocked_by(&gateway).await, None);
    stop.cancel();
}

#[sqlx::test]
async fn metrics_tell_what_happens_and_nothing_about_anybody(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let secret = "NOBODY-SEES-THIS";
    gateway.run("CLIENT_CREATE", client(secret)).await;
    gateway.run("CLIENT_CREATE", client(secret)).await;
    let expected = HashMap::from([
        (("gateway_operations_accepted_total", "CLIENT_CREATE"), 2.0),
        (
            ("gateway_operations_ended_total", r#"state="succeeded""#),
            1.0,
        ),
        (("gateway_operations_ended_total", r#"state="failed""#), 1.0),
        (("gateway_attempts_total", r#"result="403""#), 1.0),
        (
            (
                "gateway_fineract_call_seconds_count",
                r#"method="POST",resource="clients",command="",result="200""#,
            ),
            1.0,
        ),
        (
            ("gateway_operation_seconds_count", r#"type="CLIENT_CREATE""#),
            2.0,
        ),
        (("gateway_accept_seconds_count", ""), 2.0),
        (("gateway_batch_rows_count", r#"of="complete""#), 2.0),
        (("gateway_in_flight_limit", ""), 1.0),
    ]);
    for ((name, labels), least) in expected {
        // All tests in this process share one recorder of metrics, so a value may be higher.
        let value = metric(&gateway, name, labels).await;
        assert!(value >= least, "{name} {labels}: {value}");
    }
    let answer = gateway.get("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for name in ["gateway_backlog", "gateway_parked", "gateway_in_flight"] {
        assert!(
            answer.text.contains(&format!("\n# TYPE {name} gauge\n")),
            "{name}"
        );
    }
    for private in [secret, "Jayesh", "Badgujar"] {
        assert!(!answer.text.contains(private));
    }
}
