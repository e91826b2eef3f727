//! A running gateway, and a caller of it.

use std::net::SocketAddr;

use fineract_gateway::app::Gateway;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::{process::Child, time::timeout};

use super::{
    Answer, TOKEN,
    eventually::{DEADLINE, eventually, eventually_ok},
    fixtures::{approve, client, disburse, envelope, loan},
};

/// A running gateway, and the HTTP client that calls it.
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    pub(super) client: Client,
    /// The gateway, if it runs in this process.
    pub(super) gateway: Option<Gateway>,
    /// The gateway, if it is a process of its own.
    pub(super) process: Option<Child>,
}

/// Ends the gateway, because the database cannot be dropped while a gateway uses it.
impl Drop for Caller {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
            tokio::spawn(gateway.shut_down());
        }
    }
}

impl Caller {
    /// Waits until the gateway is ready.
    pub(super) async fn is_ready(&self) {
        let url = format!("http://{}/readyz", self.address);
        eventually("the gateway is ready", async || {
            let ready = self.client.get(&url).send().await;
            ready.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Sends a GET without a token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("http://{}{path}", self.address))).await
    }

    /// Sends an operation and returns the answer.
    pub(crate) async fn operate(&self, operation_type: &str, data: Value) -> Answer {
        let url = format!("http://{}/fineract/operate", self.address);
        let request = self.client.post(url).header("X-Internal-Token", TOKEN);
        Answer::of(request.json(&envelope(operation_type, data))).await
    }

    /// A request without a token and without a body.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.request(method, url)
    }

    /// Reads a transaction with this API key, and returns the body.
    pub(crate) async fn transaction(&self, id: &str, key: &str) -> Value {
        let request = self.request(reqwest::Method::GET, &format!("/transactions/{id}"));
        let request = request.header("Authorization", format!("Token {key}"));
        let answer = request.send().await.expect("the gateway answers");
        answer.json().await.expect("JSON")
    }

    /// Sends an operation, which must be accepted. Returns its tracking id.
    pub(crate) async fn send(&self, operation_type: &str, data: Value) -> String {
        self.submit(&envelope(operation_type, data)).await
    }

    /// Sends a whole body, which must be accepted. Returns the tracking id.
    pub(crate) async fn submit(&self, body: &Value) -> String {
        let url = format!("http://{}/fineract/operate", self.address);
        let request = self.client.post(url).header("X-Internal-Token", TOKEN);
        let answer = Answer::of(request.json(body)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()["tracking_id"]
            .as_str()
            .expect("a tracking id")
            .to_owned()
    }

    /// Waits until the operation has ended, and returns what track then answers.
    pub(crate) async fn end_of(&self, tracking_id: &str) -> Value {
        let url = format!("http://{}/fineract/track/{tracking_id}", self.address);
        eventually_ok("the operation ends", async || {
            let request = self.client.get(&url).header("X-Internal-Token", TOKEN);
            let answer = Answer::of(request.header("Prefer", "wait=5")).await.json();
            if answer["status"] == "processing" {
                Err(tracking_id)
            } else {
                Ok(answer)
            }
        })
        .await
    }

    /// Sends an operation, waits until it has ended, and returns what track then answers.
    pub(crate) async fn run(&self, operation_type: &str, data: Value) -> Value {
        let tracking_id = self.send(operation_type, data).await;
        self.end_of(&tracking_id).await
    }

    /// The id of the gateway's process.
    pub(crate) fn pid(&self) -> u32 {
        let process = self.process.as_ref().expect("a process of its own");
        process.id().expect("it runs")
    }

    /// Waits until the process has ended, and returns its exit code.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        let process = self.process.as_mut().expect("a process of its own");
        let ended = timeout(DEADLINE, process.wait()).await;
        ended
            .expect("the gateway ends in time")
            .expect("the process was there")
            .code()
    }

    /// Kills the gateway's process immediately.
    pub(crate) async fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill().await.expect("the process was there");
        }
    }

    /// Shuts down a gateway that runs in the test's process. Returns whether nothing was left unfinished.
    pub(crate) async fn shut_down(mut self) -> bool {
        self.gateway
            .take()
            .expect("a gateway of this process")
            .shut_down()
            .await
    }

    /// Runs an operation that must succeed. Returns Fineract's answer.
    pub(crate) async fn succeeds(&self, operation_type: &str, data: Value) -> Value {
        let end = self.run(operation_type, data).await;
        assert_eq!(end["status"], "success", "{end}");
        end["success_response"].clone()
    }

    /// Creates a client, and submits a loan application for this client.
    pub(crate) async fn file(&self, loan_id: &str) {
        let client_id = format!("C-{loan_id}");
        self.succeeds("CLIENT_CREATE", client(&client_id)).await;
        self.succeeds("LOAN_CREATE", loan(loan_id, &client_id))
            .await;
    }

    /// Creates a client and a loan, approves the loan and disburses it.
    pub(crate) async fn pay_out(&self, loan_id: &str) {
        self.file(loan_id).await;
        self.succeeds("LOAN_APPROVE", approve(loan_id)).await;
        self.succeeds("LOAN_DISBURSE", disburse(loan_id)).await;
    }
}
