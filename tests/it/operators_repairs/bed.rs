//! What the tests of repairs share.

use fineract_gateway::http;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::{
    TestGateway,
    eventually::eventually_ok,
    fixtures::{client_update, refused},
    operators::{Operator, REASON},
};

/// A gateway, its operator, and repairs that run when the test says so.
pub(crate) struct Bed {
    pub(crate) gateway: TestGateway,
    pub(crate) operator: Operator,
}

impl Bed {
    pub(crate) async fn new(pool: &PgPool) -> Self {
        let gateway = TestGateway::start(pool.clone()).await;
        let operator = Operator::of(gateway.address);
        Self { gateway, operator }
    }

    /// Accepts an update of this client, which fails.
    pub(crate) async fn failed(&self, client: &str) -> String {
        let id = self.gateway.accept(&client_update(client)).await;
        self.gateway.end_next(refused()).await;
        self.operator.inspect(&id).await;
        id
    }

    /// Starts a repair. Returns its id.
    pub(crate) async fn start(&self, mut body: Value, expected: usize) -> String {
        body["reason"] = json!(REASON);
        body["dry_run"] = json!(false);
        body["expected"] = json!(expected);
        let answer = self.operator.post("/repairs", &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn preview(&self, mut body: Value) -> Value {
        body["reason"] = json!(REASON);
        body["dry_run"] = json!(true);
        let answer = self.operator.post("/repairs", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    pub(crate) async fn repair(&self, id: &str) -> Value {
        let answer = self.operator.get(&format!("/repairs/{id}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// Carries out repairs until this one has ended.
    pub(crate) async fn run(&self, id: &str) -> Value {
        let stop = CancellationToken::new();
        let stops = stop.clone().drop_guard();
        let tasks = TaskTracker::new();
        tasks.spawn(http::run_repairs(self.gateway.state.clone(), stop));
        tasks.close();
        let ended = eventually_ok("the repair has ended", async || {
            let repair = self.repair(id).await;
            if repair["ended_at"].is_null() {
                Err(repair)
            } else {
                Ok(repair)
            }
        })
        .await;
        drop(stops);
        tasks.wait().await;
        ended
    }
}

pub(crate) fn retry_of_failed() -> Value {
    json!({ "action": "retry", "filter": { "state": "failed", "type": "CLIENT_UPDATE" } })
}

pub(crate) fn progress(repair: &Value) -> Value {
    json!([
        repair["state"],
        repair["done"],
        repair["changed"],
        repair["refused"],
        repair["left"]
    ])
}
