//! Tests of release 1.10.1, beyond the recordings.

use std::time::Duration;

use fineract_sandbox::{Release, Sandbox};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::Seen::{Fresh, Stored};
use super::{Bench, client, code};

async fn start() -> Bench {
    Bench::serving(Sandbox::new().with_release(Release::V1_10_1)).await
}

#[tokio::test]
async fn the_loser_of_a_race_under_one_key_is_refused_and_then_given_the_stored_answer() {
    // The pause is long, so that the second request arrives while the first command is running.
    let sandbox = Sandbox::new().with_pause(Duration::from_secs(3));
    let bench = Bench::serving(sandbox.with_release(Release::V1_10_1)).await;
    let mut seen = join_all([bench.create("k"), bench.create("k")]).await;
    seen.sort_by_key(|(seen, _)| *seen == Fresh(403));
    let [(won, success), (lost, refusal)] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!((won, lost), (&Fresh(200), &Fresh(403)), "{refusal}");
    assert_eq!(code(refusal), "error.msg.data.integrity.issue");
    let (again, stored) = bench.create("k").await;
    assert_eq!((again, &stored), (Stored(200), success));
    assert_eq!(bench.list("ledger").await.len(), 1);
}

/// A command that is still running is answered with 425, as in any release.
#[tokio::test]
async fn a_committed_command_that_is_still_under_way_is_not_refused() {
    let bench = start().await;
    let fault = json!([{"fault": "stuck"}]);
    bench.admin("faults", &fault).await;
    for _ in 0..2 {
        assert_eq!(bench.create("k").await.0, Stored(425));
    }
}

#[tokio::test]
async fn a_reset_may_name_another_release() {
    let bench = Bench::start().await;
    for (release, expected) in [
        ("1.10.1", "error.msg.data.integrity.issue"),
        ("develop", "validation.msg.loans.productId.cannot.be.blank"),
    ] {
        bench
            .admin("reset", &json!({ "fineractVersion": release }))
            .await;
        let call = bench.call("mifos", Method::POST, "/loans", &json!({}));
        assert_eq!(code(&bench.see(call).await.1), expected, "{release}");
    }
}

#[tokio::test]
async fn a_reset_or_a_fixed_day_does_not_change_the_release() {
    let bench = start().await;
    bench.admin("reset", &Value::Null).await;
    let call = bench.call("mifos", Method::POST, "/loans", &json!({}));
    for seen in [Fresh(403), Stored(403)] {
        let call = call.try_clone().expect("a body in memory");
        let (status, refusal) = bench.see(call.header("Idempotency-Key", "k")).await;
        assert_eq!(
            (status, code(&refusal)),
            (seen, "error.msg.data.integrity.issue")
        );
    }
}

#[tokio::test]
async fn a_loan_without_transactions_shows_none() {
    for (release, shown) in [
        (Release::Develop, Some(json!([]))),
        (Release::V1_10_1, None),
    ] {
        let bench = Bench::serving(Sandbox::new().with_release(release)).await;
        bench.done(Method::POST, "/clients", &client("C-1")).await;
        let application = super::application(&json!(1), "L");
        bench.done(Method::POST, "/loans", &application).await;
        let path = "/loans/external-id/L?associations=transactions";
        let loan = bench.done(Method::GET, path, &Value::Null).await;
        assert_eq!(loan.get("transactions"), shown.as_ref(), "{release:?}");
    }
}
