//! A sandbox for tests of commands that call Fineract.

use fineract_gateway::tls::http_client;
use fineract_sandbox::Sandbox;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::{Answer, system::System};

/// A sandbox on a port of its own, and a client that calls it as a user of Fineract.
pub(crate) struct ServedSandbox {
    served: fineract_sandbox::ServedSandbox,
    client: Client,
}

impl ServedSandbox {
    /// Serves a sandbox until this value is dropped.
    pub(crate) async fn start(sandbox: Sandbox) -> Self {
        let served = sandbox.serve_on_free_port().await;
        Self {
            served: served.expect("a free port"),
            client: http_client().no_proxy().build().expect("a client"),
        }
    }

    /// The value for `FINERACT_URL`.
    pub(crate) fn url(&self) -> String {
        self.served.url()
    }

    /// Reads something from Fineract, as a user would.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.request(reqwest::Method::GET, path, &Value::Null).await
    }

    /// Writes something to Fineract, as a user would.
    pub(crate) async fn request(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let request = self
            .client
            .request(method, format!("{}{path}", self.url()))
            .header("Fineract-Platform-TenantId", "default")
            .basic_auth("mifos", Some("password"));
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        let answer: Response = request.send().await.expect("the sandbox answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("JSON")
    }
}

impl System {
    /// Every effect in Fineract, in order.
    pub(crate) async fn ledger(&self) -> Vec<Value> {
        let url = format!("http://{}/sandbox/ledger", self.sandbox);
        let answer = Answer::of(self.client.get(url)).await;
        serde_json::from_str(&answer.text).expect("a list")
    }

    /// Restarts the sandbox with these settings for idempotency keys.
    pub(crate) async fn restart_with_keys(&self, keys: Value) {
        self.administer("keys", &keys).await;
    }

    /// Adds a fault to the sandbox.
    pub(crate) async fn fault(&self, fault: Value) {
        self.administer("faults", &json!([fault])).await;
    }

    /// Removes all faults from the sandbox.
    pub(crate) async fn clear_faults(&self) {
        let url = format!("http://{}/sandbox/faults", self.sandbox);
        let answer = self.client.delete(url).send().await;
        assert!(answer.expect("the sandbox answers").status().is_success());
    }

    /// Posts to a route of the sandbox's admin interface.
    pub(crate) async fn administer(&self, route: &str, body: &Value) {
        let url = format!("http://{}/sandbox/{route}", self.sandbox);
        let answer = self.client.post(url).json(body).send().await;
        assert!(answer.expect("the sandbox answers").status().is_success());
    }
}
