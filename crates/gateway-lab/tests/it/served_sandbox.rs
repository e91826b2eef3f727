//! A sandbox on a port of its own.

use std::net::SocketAddr;

use fineract_gateway::tls::http_client;
use fineract_sandbox::Sandbox;
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

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
