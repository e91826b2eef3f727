//! Webhooks: endpoints of callers, and what is delivered to them.

mod api;
mod command;
mod delivery;
mod order;
mod pauses;
pub(crate) mod receiver;
mod refused;
mod slow;
mod trouble;

use std::time::Duration;

use fineract_gateway::{
    http::run_webhooks,
    webhooks::{Guard, Sender},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use self::receiver::Receiver;
use crate::support::{Answer, TOKEN, TestGateway, eventually::eventually_ok};

/// How long receivers have for their answers.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A gateway that delivers, also to this machine and without TLS.
struct Bed {
    gateway: TestGateway,
    stop: CancellationToken,
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bed {
    async fn start(pool: &PgPool) -> Self {
        let here = Guard::new(&["127.0.0.0/8".parse().expect("a network")], true);
        Self::start_with(pool, here, TIMEOUT).await
    }

    /// `timeout`: how long receivers have for their answers.
    async fn start_with(pool: &PgPool, guard: Guard, timeout: Duration) -> Self {
        let allowed = guard.clone();
        let gateway = TestGateway::start_with(pool.clone(), |state| state.webhooks = allowed).await;
        let stop = CancellationToken::new();
        let sender = Sender::new(guard, timeout).expect("a client");
        let running = run_webhooks(gateway.state.clone(), sender, stop.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(running);
        Self { gateway, stop }
    }

    /// Sends a request of `los` under `/webhooks`.
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.gateway.request(method, &format!("/webhooks{path}"));
        let request = request.header("X-Internal-Token", TOKEN);
        Answer::of(if body.is_null() {
            request
        } else {
            request.json(body)
        })
        .await
    }

    /// Creates an endpoint of `los` at this receiver, with these settings besides its URL.
    async fn endpoint(&self, receiver: &Receiver, mut settings: Value) -> Value {
        settings["url"] = json!(receiver.url());
        let answer = self.ask(Method::POST, "/endpoints", &settings).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()
    }

    /// Sends a request about an endpoint, which must succeed.
    async fn at(&self, endpoint: &Value, method: Method, path: &str, body: Value) -> Value {
        let id = endpoint["id"].as_str().expect("an id");
        let answer = self
            .ask(method, &format!("/endpoints/{id}{path}"), &body)
            .await;
        assert!(answer.status.is_success(), "{}", answer.text);
        answer.json()
    }

    /// The deliveries to `los`, the newest first.
    async fn log(&self, query: &str) -> Vec<Value> {
        let answer = self
            .ask(Method::GET, &format!("/deliveries{query}"), &Value::Null)
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["deliveries"]
            .as_array()
            .expect("a list")
            .clone()
    }

    /// Waits until the newest delivery to `los` is so.
    async fn newest(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually_ok(what, async || {
            let newest = self.log("?limit=1").await.pop().unwrap_or_default();
            if is_so(&newest) {
                Ok(newest)
            } else {
                Err(newest)
            }
        })
        .await
    }
}

/// Makes every delivery due now, and ends the pauses of endpoints.
async fn make_due(pool: &PgPool) {
    sqlx::raw_sql(
        "UPDATE webhook_delivery SET due_at = now() WHERE due_at IS NOT NULL;
         UPDATE webhook_endpoint SET paused_until = NULL",
    )
    .execute(pool)
    .await
    .unwrap();
}
