//! A sandbox for tests of commands that meet a Fineract.

use std::net::SocketAddr;

use fineract_gateway::tls::http_client;
use fineract_sandbox::Sandbox;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Answer, system::System};

/// A sandbox on a port of its own.
pub(crate) struct ServedSandbox {
    address: SocketAddr,
    client: Client,
    _stop: DropGuard,
}

impl ServedSandbox {
    /// Serves a sandbox until this is dropped.
    pub(crate) async fn start(sandbox: Sandbox) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(sandbox.serve(listener, stop.clone()));
        let client = http_client().no_proxy().build().expect("a client");
        Self {
            address,
            client,
            _stop: stop.drop_guard(),
        }
    }

    /// What `FINERACT_URL` is set to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/fineract-provider/api/v1", self.address)
    }

    /// Reads something of Fineract's, as a user would.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.request(reqwest::Method::GET, path, &Value::Null).await
    }

    /// Writes something of Fineract's, as a user would.
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

    /// Has the sandbox start anew with these settings of keys.
    pub(crate) async fn restart_with_keys(&self, keys: Value) {
        let url = format!("http://{}/sandbox/keys", self.sandbox);
        let answer = self.client.post(url).json(&keys).send().await;
        assert!(answer.expect("the sandbox answers").status().is_success());
    }

    /// Has the sandbox misbehave.
    pub(crate) async fn fault(&self, fault: Value) {
        let url = format!("http://{}/sandbox/faults", self.sandbox);
        let answer = self.client.post(url).json(&json!([fault])).send().await;
        assert!(answer.expect("the sandbox answers").status().is_success());
    }
}
