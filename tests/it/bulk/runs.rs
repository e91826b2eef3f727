//! Batches whose gateway is killed while it runs them or accepts them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::PgPool;

use super::Bulk;
use crate::support::{
    eventually::eventually,
    fixtures::{client_create, loan_approve, loan_create, loan_disburse},
    system::System,
};

/// The lifecycles of `count` loans: the first step of all loans, then the second step of all loans, and so on.
fn lives(count: usize) -> Vec<Value> {
    let steps: [fn(usize) -> Value; 4] = [
        |n| client_create(&format!("C-{n}")),
        |n| loan_create(&format!("L-{n}"), &format!("C-{n}")),
        |n| loan_approve(&format!("L-{n}")),
        |n| loan_disburse(&format!("L-{n}")),
    ];
    steps.iter().flat_map(|step| (0..count).map(step)).collect()
}

/// Reads every row, page by page, while the batch runs, and returns the ids. The counts on each page must add up.
async fn read_pages(bulk: &Bulk, total: i64) -> BTreeSet<i64> {
    let mut ids = BTreeSet::new();
    let mut page = 1;
    loop {
        let query = json!({ "reference_id": "r", "limit": 100, "page": page });
        let status = bulk.status(&query).await;
        let summary = &status["summary"];
        let count = |key: &str| summary[key].as_i64().unwrap();
        let counts = ["ready", "in_progress", "completed", "failed"].map(count);
        assert_eq!(counts.iter().sum::<i64>(), total, "{summary}");
        let records = status["records"].as_array().unwrap();
        ids.extend(records.iter().map(|record| record["id"].as_i64().unwrap()));
        if status["pagination"]["has_next"] == false {
            return ids;
        }
        page += 1;
    }
}

#[sqlx::test]
async fn a_killed_gateway_leaves_a_batch_that_another_runs_to_its_end(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("FINERACT_MAX_IN_FLIGHT", "4");
    let mut victim = system.process().await;
    let rows = lives(100);
    let total = i64::try_from(rows.len()).unwrap();
    let bulk = Bulk::new(victim.address);
    let body = json!({ "reference_id": "r", "operations": rows });
    let answer = bulk.send("schedule", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let query = json!({ "reference_id": "r", "limit": 1 });
    eventually("a tenth has ended", async || {
        let status = bulk.status(&query).await;
        status["metadata"]["progress_percentage"].as_i64() > Some(10)
    })
    .await;
    victim.kill().await;

    let survivor = system.process().await;
    let bulk = Bulk::new(survivor.address);
    let again = bulk.send("schedule", &body).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(again.json()["batch_id"], answer.json()["batch_id"]);
    assert_eq!(read_pages(&bulk, total).await, (1..=total).collect());
    let ended = bulk.end_of("r").await;
    assert_eq!(ended["batch_status"], "COMPLETED", "{}", ended["summary"]);
    assert_eq!(read_pages(&bulk, total).await.len(), 400);

    let mut effects = BTreeMap::new();
    for effect in system.ledger().await {
        let key = effect["idempotencyKey"].as_str().unwrap();
        let operation = key.rsplit_once('-').unwrap().0.to_owned();
        *effects.entry(operation).or_insert(0) += 1;
    }
    let operations: Vec<_> = ended["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["consent_id"].as_str().unwrap())
        .collect();
    assert_eq!(effects.len(), operations.len());
    assert!(operations.iter().all(|id| effects.get(*id) == Some(&1)));
}

#[sqlx::test]
async fn a_gateway_killed_while_it_accepts_leaves_a_batch_or_none(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("ROLE", "api");
    let body = json!({ "reference_id": "r", "operations": lives(500) });
    let mut victim = system.process().await;
    let doomed = Bulk::new(victim.address);
    let request = doomed
        .post("schedule", "application/json", body.to_string())
        .send();
    // The gateway is killed at some moment while it handles the request.
    let (_answer, ()) = tokio::join!(request, victim.kill());

    let survivor = system.process().await;
    let bulk = Bulk::new(survivor.address);
    let again = bulk.send("schedule", &body).await;
    assert!(again.status.is_success(), "{}", again.text);
    let counts = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM batch) AS "batches!", (SELECT count(*) FROM batch_row) AS "rows!",
                  (SELECT count(*) FROM operation) AS "operations!""#
    );
    let counts = counts.fetch_one(&pool).await.unwrap();
    assert_eq!(
        (counts.batches, counts.rows, counts.operations),
        (1, 2_000, 2_000)
    );
    assert_eq!(again.json()["summary"]["total"], 2_000);
}
