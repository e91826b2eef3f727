//! `/fineract/repairs`: one action on all operations that match a filter.

pub(crate) mod bed;
mod races;
mod rows;

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    fixtures::{client_create, refused},
    operators::{REASON, audit, uuid},
};

use self::bed::{Bed, progress, retry_of_failed};

#[sqlx::test]
async fn a_preview_shows_what_matches_and_a_repair_does_each_once_in_lane_order(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let mut failed = Vec::new();
    for client in ["C-3", "C-1", "C-2", "C-1"] {
        failed.push(bed.failed(client).await);
    }
    bed.gateway.accept(&client_create("C-9")).await;
    bed.gateway.end_next(refused()).await;

    let preview = bed.preview(retry_of_failed()).await;
    assert_eq!(preview["matches"], 4);
    let sample = preview["sample"].as_array().expect("a sample").iter();
    let sample: Vec<_> = sample
        .map(|row| row["tracking_id"].as_str().expect("an id"))
        .collect();
    let in_lane_order = [1, 3, 2, 0].map(|index: usize| failed[index].as_str());
    assert_eq!(sample, in_lane_order);
    assert_eq!(preview["left_out"], json!([]));
    assert_eq!(preview["types"], json!({ "CLIENT_UPDATE": 4 }));
    assert_eq!(preview["reason_codes"], json!({ "test": 4 }));
    assert_eq!(preview["on_hold"], 0);
    assert_eq!(
        bed.operator.inspect(&failed[0]).await["retried_by"],
        Value::Null
    );

    let id = bed.start(retry_of_failed(), 4).await;
    assert_eq!(
        progress(&bed.repair(&id).await),
        json!(["running", 0, 0, 0, 4])
    );
    let ended = bed.run(&id).await;
    assert_eq!(progress(&ended), json!(["done", 4, 0, 0, 0]));
    let mut retries = Vec::new();
    for failed in in_lane_order {
        let inspected = bed.operator.inspect(failed).await;
        retries.push(
            inspected["retried_by"]
                .as_str()
                .expect("a retry")
                .to_owned(),
        );
        let last = inspected["audit"].as_array().and_then(|all| all.last());
        let last = last.expect("an action");
        assert_eq!(
            (&last["repair"], &last["reason"]),
            (&json!(id), &json!(REASON))
        );
        assert_eq!(last["before"]["state"], "failed");
        assert_eq!(audit(&pool, failed).await.len(), 1);
    }
    let ids: Vec<_> = retries.iter().map(|retry| uuid(retry)).collect();
    assert!(ids.is_sorted(), "{ids:?}");

    // The same again: everything has been run again already.
    let again = bed.preview(retry_of_failed()).await;
    assert_eq!(again["matches"], 0);
    assert_eq!(again["left_out"][0]["code"], "operation_retried");
    assert_eq!(again["left_out"][0]["count"], 4);
    let listed = bed.operator.get("/repairs").await.json();
    assert_eq!(listed["repairs"][0]["id"], json!(id));
    let page = bed
        .operator
        .get(&format!("/audit?repair={id}"))
        .await
        .json();
    let actions = page["actions"].as_array().expect("actions").iter();
    let actions: Vec<_> = actions
        .map(|row| row["action"].as_str().expect("an action"))
        .collect();
    assert_eq!(
        actions,
        ["retry", "retry", "retry", "retry", "start_repair"]
    );
}

#[sqlx::test]
async fn a_repair_that_matches_more_than_was_expected_is_refused(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    bed.failed("C-1").await;
    bed.failed("C-2").await;
    let mut body = retry_of_failed();
    body["reason"] = json!(REASON);
    body["dry_run"] = json!(false);
    body["expected"] = json!(1);
    let answer = bed.operator.post("/repairs", &body).await;
    assert_eq!(answer.problem(), (409, "too_many_match".to_owned()));
    assert_eq!(
        bed.operator.get("/repairs").await.json()["repairs"],
        json!([])
    );
    for (wrong, pointer) in [
        (json!({ "action": "retry", "filter": {} }), "/filter"),
        (
            json!({ "action": "resolve", "filter": { "state": "parked" } }),
            "/outcome",
        ),
        (
            json!({ "action": "retry", "filter": { "state": "gone" } }),
            "/filter/state",
        ),
        (
            json!({ "action": "hold", "filter": { "q": "x" }, "expires_at": "2030-01-01T00:00:00Z" }),
            "/expires_at",
        ),
    ] {
        let mut wrong = wrong;
        wrong["reason"] = json!(REASON);
        wrong["dry_run"] = json!(true);
        let answer = bed.operator.post("/repairs", &wrong).await;
        assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
    }
}

#[sqlx::test]
async fn what_changed_meanwhile_is_left_and_reported(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let (first, second) = (bed.failed("C-1").await, bed.failed("C-2").await);
    let one = bed.start(retry_of_failed(), 2).await;
    let other = bed.start(retry_of_failed(), 2).await;
    assert_eq!(
        bed.operator.act(&first, "retry").await.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(progress(&bed.run(&one).await), json!(["done", 1, 1, 0, 0]));
    let ended = bed.run(&other).await;
    assert_eq!(progress(&ended), json!(["done", 0, 2, 0, 0]));
    assert_eq!(ended["not_done"][0]["tracking_id"], json!(first));
    assert_eq!(ended["not_done"][1]["outcome"], "changed");
    for failed in [first, second] {
        assert_eq!(audit(&pool, &failed).await.len(), 1);
    }
}

#[sqlx::test]
async fn a_stopped_repair_does_no_more(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let failed = bed.failed("C-1").await;
    let id = bed.start(retry_of_failed(), 1).await;
    let body = json!({ "reason": "a mistake" });
    let stopped = bed
        .operator
        .post(&format!("/repairs/{id}/stop"), &body)
        .await;
    assert_eq!(stopped.status, StatusCode::OK, "{}", stopped.text);
    assert_eq!(
        progress(&bed.run(&id).await),
        json!(["stopped", 0, 0, 0, 1])
    );
    assert_eq!(audit(&pool, &failed).await.len(), 0);
    let page = bed.operator.get("/audit?action=stop_repair").await.json();
    assert_eq!(page["actions"][0]["reason"], "a mistake");
    let unknown = format!("/repairs/{}/stop", uuid(&failed));
    let unknown = bed.operator.post(&unknown, &body).await;
    assert_eq!(unknown.problem(), (404, "unknown_repair".to_owned()));
}
