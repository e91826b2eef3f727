//! Tests of the faults of `POST /sandbox/faults`.

use serde_json::{Value, json};

use super::Seen::{self, Closed, Fresh, Garbage, Stored};
use super::{API, Bench};

/// A fault; the result of the first request; the number of effects after it; the result of a second request under the
/// same key; the number of effects after both.
type Row = (Value, Seen, usize, Seen, usize);

fn table() -> Vec<Row> {
    let fault = |name: &str| json!({"fault": name});
    vec![
        (fault("reset_before"), Closed, 0, Fresh(200), 1),
        (fault("reset_after"), Closed, 1, Stored(200), 1),
        (
            json!({"fault": "slow", "delay_ms": 5}),
            Fresh(200),
            1,
            Stored(200),
            1,
        ),
        (fault("status_500"), Fresh(500), 0, Stored(500), 0),
        (
            json!({"fault": "status_500", "effect": true}),
            Fresh(500),
            1,
            Stored(500),
            1,
        ),
        (fault("status_502_after"), Fresh(502), 1, Stored(200), 1),
        (fault("truncated_after"), Closed, 1, Stored(200), 1),
        (fault("garbage_after"), Garbage, 1, Stored(200), 1),
        (fault("stuck"), Stored(425), 0, Stored(425), 0),
        (
            json!({"fault": "stuck", "effect": true}),
            Stored(425),
            1,
            Stored(425),
            1,
        ),
        (fault("conflict_409"), Fresh(409), 0, Stored(409), 0),
        (fault("loan_locked"), Fresh(409), 0, Fresh(200), 1),
        (fault("scheduler_503"), Fresh(503), 0, Fresh(200), 1),
        (fault("redirect"), Fresh(302), 0, Fresh(200), 1),
        (fault("unauthorized"), Fresh(401), 0, Fresh(200), 1),
        (fault("forbidden"), Fresh(403), 0, Fresh(200), 1),
        (fault("maker_checker"), Fresh(200), 0, Stored(425), 0),
        (fault("delivered_twice"), Stored(200), 1, Stored(200), 1),
    ]
}

#[tokio::test]
async fn each_fault_is_seen_and_leaves_what_it_should() {
    let bench = Bench::start().await;
    for (fault, first, then, again, at_last) in table() {
        bench.admin("reset", &Value::Null).await;
        assert_eq!(bench.admin("faults", &json!([fault])).await, 200, "{fault}");
        assert_eq!(bench.create("k").await.0, first, "{fault}, first request");
        assert_eq!(
            bench.list("ledger").await.len(),
            then,
            "{fault}, effects after the first request"
        );
        assert_eq!(bench.create("k").await.0, again, "{fault}, second request");
        assert_eq!(
            bench.list("ledger").await.len(),
            at_last,
            "{fault}, effects after both requests"
        );
        let faults = bench.list("faults").await;
        assert_eq!(
            faults.first().and_then(|fault| fault["hits"].as_i64()),
            Some(1),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn a_late_effect_comes_after_the_connection_closed() {
    for (fault, meanwhile) in [("late_effect", 425), ("conflict_passes", 409)] {
        let bench = Bench::start().await;
        let late = json!([{"fault": fault, "delay_ms": 300}]);
        bench.admin("faults", &late).await;
        assert_eq!(bench.create("k").await.0, Closed);
        assert_eq!(bench.create("k").await.0, Stored(meanwhile), "{fault}");
        assert!(bench.effects(1).await, "the effect did not happen");
        assert_eq!(bench.create("k").await.0, Stored(200));
        assert_eq!(bench.list("ledger").await.len(), 1);
    }
}

#[tokio::test]
async fn a_second_key_meets_what_the_first_did_after_its_500() {
    let bench = Bench::start().await;
    bench
        .admin("faults", &json!([{"fault": "status_500_late"}]))
        .await;
    assert_eq!(bench.create("k-1").await.0, Fresh(500));
    assert_eq!(bench.create("k-1").await.0, Stored(500));
    assert_eq!(bench.list("ledger").await.len(), 0);
    assert_eq!(bench.list("faults").await[0]["hits"], 0);
    assert_eq!(bench.create("k-2").await.0, Fresh(403));
    let ledger = bench.list("ledger").await;
    assert_eq!(ledger.len(), 1);
    assert_eq!(ledger[0]["idempotencyKey"], "k-1");
    assert_eq!(bench.list("faults").await[0]["hits"], 1);
    assert_eq!(bench.create("k-1").await.0, Stored(500));
}

/// A command that finds the effect of another key is refused, and the fault gives it no late effect of its own.
/// Otherwise this late effect could later be a second effect.
#[tokio::test]
async fn a_second_key_that_breaks_as_well_is_refused_for_what_it_meets() {
    let bench = Bench::start().await;
    let twice = json!([{"fault": "status_500_late", "times": 2}]);
    bench.admin("faults", &twice).await;
    assert_eq!(bench.create("k-1").await.0, Fresh(500));
    assert_eq!(bench.create("k-2").await.0, Fresh(403));
}

#[tokio::test]
async fn what_a_command_was_about_may_be_hidden_for_a_while() {
    let bench = Bench::start().await;
    let read = || async {
        let url = format!("http://{}{API}/clients/1", bench.address);
        let request = bench.http.get(url).basic_auth("mifos", Some("password"));
        let request = request.header("Fineract-Platform-TenantId", "default");
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(bench.create("k").await.0, Fresh(200));
    assert_eq!(read().await, 200);
    let hides = json!([{"match": {"method": "PUT"}, "fault": "slow", "hides_ms": 60_000}]);
    bench.admin("faults", &hides).await;
    assert_eq!(read().await, 200);
    // It does not matter whether Fineract refuses this command.
    let url = format!("http://{}{API}/clients/1", bench.address);
    let changing = bench.http.put(url).basic_auth("mifos", Some("password"));
    changing.body("{}").send().await.expect("an answer");
    assert_eq!(read().await, 502);
}

#[tokio::test]
async fn a_restart_kills_what_runs_and_leaves_its_row() {
    let bench = Bench::start().await;
    let faults = json!([
        {"fault": "late_effect", "delay_ms": 1_000},
        {"fault": "late_effect", "delay_ms": 1_500},
    ]);
    bench.admin("faults", &faults).await;
    assert_eq!(bench.create("killed").await.0, Closed);
    bench.admin("restart", &Value::Null).await;
    // The second command takes effect later than the first would have.
    assert_eq!(bench.create("runs on").await.0, Closed);
    assert!(bench.effects(1).await, "the effect did not happen");
    assert_eq!(bench.create("killed").await.0, Stored(425));
    assert_eq!(bench.list("ledger").await[0]["idempotencyKey"], "runs on");
}

#[tokio::test]
async fn a_fault_that_is_not_understood_is_refused() {
    let bench = Bench::start().await;
    for bad in [
        json!([{"fault": "earthquake"}]),
        json!([{"fault": "slow", "delay": 5}]),
        json!({}),
        json!([{"fault": "slow", "probability": 1.5}]),
        json!([1]),
    ] {
        assert_eq!(bench.admin("faults", &bad).await, 422, "{bad}");
    }
    assert_eq!(bench.list("faults").await.len(), 0);
}

#[tokio::test]
async fn a_fault_strikes_only_what_it_is_for() {
    let bench = Bench::start().await;
    let matched = json!({"method": "POST", "path": "/loans", "command": "approve"});
    let faults = json!([
        {"match": matched, "fault": "reset_before"},
        {"match": {"path": "/loanproducts"}, "fault": "reset_before"},
        {"match": {"method": "POST", "path": "/loans/1", "command": "reject"}, "fault": "reset_before"},
        {"match": {"key": "-2"}, "fault": "reset_before"},
        {"fault": "reset_before", "probability": 0},
    ]);
    assert_eq!(bench.admin("faults", &faults).await, 200);
    assert_eq!(bench.create("k-1").await.0, Fresh(200));
    assert_eq!(bench.create("k-2").await.0, Closed);
    let other = bench
        .post("/loans/14?command=reject", &json!({}))
        .send()
        .await;
    assert_eq!(other.expect("an answer").status(), 404);
    let on =
        json!({"approvedOnDate": "10 January 2024", "locale": "en", "dateFormat": "dd MMMM yyyy"});
    assert!(
        bench
            .post("/loans/1?command=approve", &on)
            .send()
            .await
            .is_err(),
        "the fault did not hit the request"
    );
    assert_eq!(
        bench
            .post("/loans/1?command=approve", &on)
            .send()
            .await
            .expect("an answer")
            .status(),
        404
    );
}
