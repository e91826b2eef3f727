//! Tests of servers that read keys from another header, or ignore keys.

use fineract_sandbox::{KeySettings, Sandbox};
use serde_json::{Value, json};

use super::Bench;
use super::Seen::{Fresh, Stored};

/// Sends an empty `POST /clients` twice under this key in this header. Returns both results.
async fn ask_twice(bench: &Bench, header: &str, key: &str) -> [super::Seen; 2] {
    let mut seen = [Fresh(0); 2];
    for seen in &mut seen {
        let call = bench.post("/clients", &json!({}));
        *seen = bench.see(call.header(header, key)).await.0;
    }
    seen
}

#[tokio::test]
async fn keys_are_ignored_under_another_header_or_altogether() {
    let bench = Bench::start().await;
    let honoured = [Fresh(400), Stored(400)];
    let ignored = [Fresh(400), Fresh(400)];
    for (number, (settings, usual, other)) in [
        (json!({}), honoured, ignored),
        (json!({ "header": "X-Key" }), ignored, honoured),
        (json!({ "ignored": true }), ignored, ignored),
        (json!({ "ignored": ["CREATE_CLIENT"] }), ignored, ignored),
        (json!({ "ignored": ["CREATE_LOAN"] }), honoured, ignored),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(bench.admin("keys", &settings).await, 200);
        for (header, expected) in [("Idempotency-Key", usual), ("X-Key", other)] {
            let key = format!("{number}-{header}");
            let seen = ask_twice(&bench, header, &key).await;
            assert_eq!(seen, expected, "{settings}, {header}");
        }
    }
    // If Fineract ignores keys and executes a command twice, the ledger contains the key that was sent, twice.
    assert_eq!(bench.admin("keys", &json!({ "ignored": true })).await, 200);
    for _ in 0..2 {
        let call = bench.post("/clients", &json!({
            "officeId": 1, "legalFormId": 1, "firstname": "Asha", "lastname": "Rao", "active": false,
            "locale": "en", "dateFormat": "dd MMMM yyyy",
        }));
        let seen = bench.see(call.header("Idempotency-Key", "twice")).await;
        assert_eq!(seen.0, Fresh(200), "{}", seen.1);
    }
    let keys: Vec<Value> = bench.list("ledger").await;
    let keys: Vec<_> = keys.iter().map(|line| &line["idempotencyKey"]).collect();
    assert_eq!(keys, ["twice", "twice"]);
    assert_eq!(bench.admin("keys", &json!([])).await, 422);
}

#[tokio::test]
async fn a_reset_takes_back_what_was_set_and_not_how_it_was_started() {
    let keys = KeySettings::default().under("X-Key");
    let bench = Bench::serving(Sandbox::new().with_keys(keys)).await;
    bench.admin("keys", &json!({})).await;
    assert_eq!(
        ask_twice(&bench, "Idempotency-Key", "1").await,
        [Fresh(400), Stored(400)]
    );
    bench.admin("reset", &Value::Null).await;
    assert_eq!(
        ask_twice(&bench, "X-Key", "2").await,
        [Fresh(400), Stored(400)]
    );
}

/// A key probe does not use up a fault that is meant for another command.
#[tokio::test]
async fn a_fault_leaves_probes_alone_unless_it_names_them() {
    let bench = Bench::start().await;
    let aimed = json!([{ "match": { "path": "/clients" }, "fault": "reset_before", "times": 1 }]);
    bench.admin("faults", &aimed).await;
    let honoured = [Fresh(400), Stored(400)];
    assert_eq!(
        ask_twice(&bench, "Idempotency-Key", "1-probe").await,
        honoured
    );
    let [first, _] = ask_twice(&bench, "Idempotency-Key", "1").await;
    assert_eq!(first, super::Seen::Closed);
    let named = json!([{ "match": { "key": "-probe" }, "fault": "reset_before", "times": 1 }]);
    bench.admin("faults", &named).await;
    let [first, _] = ask_twice(&bench, "Idempotency-Key", "2-probe").await;
    assert_eq!(first, super::Seen::Closed);
}
