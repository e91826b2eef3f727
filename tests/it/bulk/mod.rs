//! Tests of the bulk API over TCP.
#![expect(clippy::indexing_slicing, reason = "a missing key fails the test")]

mod balances;
mod cancel;
mod cells;
mod command;
mod deadlines;
mod document;
mod pages;
mod reading;
mod retry;
mod retry_many;
mod retry_stopped;
mod runs;
mod same_again;
mod schedule;
mod slips;
mod spreadsheets;
mod status;
mod tables;
mod uploads;

use std::net::SocketAddr;

use fineract_gateway::config::BulkClient;
use fineract_gateway::tls::http_client;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{
    Answer,
    eventually::{DEADLINE, eventually_ok},
};

/// Two bulk clients. The four header values of each client contain its name.
pub(crate) fn clients() -> Vec<BulkClient> {
    ["lender", "other"]
        .into_iter()
        .map(|name| BulkClient {
            name: name.to_owned(),
            client_id: format!("{name}-id"),
            client_secret: format!("{name}-secret").into(),
            app_identifier: format!("{name}-app"),
            organisation_id: format!("{name}-org"),
        })
        .collect()
}

/// A bulk client.
#[derive(Clone)]
pub(crate) struct Bulk {
    http: Client,
    base: String,
    name: &'static str,
}

impl Bulk {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            http: http_client().timeout(DEADLINE).build().unwrap(),
            base: format!("http://{address}/bulk"),
            name: "lender",
        }
    }

    /// The bulk client `other`, at the same gateway.
    fn other(&self) -> Self {
        Self {
            name: "other",
            ..self.clone()
        }
    }

    /// A request with the four headers of this client.
    fn post(&self, path: &str, media_type: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let name = self.name;
        self.http
            .post(format!("{}/{path}", self.base))
            .header("client_id", format!("{name}-id"))
            .header("client_secret", format!("{name}-secret"))
            .header("appIdentifier", format!("{name}-app"))
            .header("organisationId", format!("{name}-org"))
            .header("Content-Type", media_type)
            .body(body)
    }

    /// Sends JSON to a bulk route.
    pub(crate) async fn send(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.post(path, "application/json", body.to_string())).await
    }

    /// Sends a batch, which must be accepted, and returns the answer.
    pub(crate) async fn schedule(&self, reference_id: &str, operations: Vec<Value>) -> Value {
        let body = json!({ "reference_id": reference_id, "operations": operations });
        let answer = self.send("schedule", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()
    }

    /// The `data` in the answer of `POST /bulk/status`.
    pub(crate) async fn status(&self, query: &Value) -> Value {
        let answer = self.send("status", query).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["data"].take()
    }

    /// The `data` in the answer of `POST /bulk/status` after every row has ended.
    async fn end_of(&self, reference_id: &str) -> Value {
        eventually_ok("the batch ends", async || {
            let query = json!({ "reference_id": reference_id, "limit": 1000 });
            let status = self.status(&query).await;
            if status["metadata"]["progress_percentage"] == 100 {
                Ok(status)
            } else {
                Err(status)
            }
        })
        .await
    }
}

/// The error in an answer of a bulk route: status, `errorCode` and `errorMsg`. All bulk errors have this form.
fn error_of(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(
        keys[..5],
        ["ver", "timestamp", "txnid", "errorCode", "errorMsg"]
    );
    assert_eq!(body["ver"], "1.0");
    assert_eq!(body["txnid"], answer.header("x-request-id"));
    assert_eq!(answer.header("content-type"), "application/json");
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    (answer.status.as_u16(), text("errorCode"), text("errorMsg"))
}

/// The errors of a refused upload: row, pointer and code.
fn errors_of(answer: &Answer) -> Vec<(Option<i64>, String, String)> {
    let (status, code, _) = error_of(answer);
    assert_eq!(
        (status, code.as_str()),
        (422, "InvalidRequest"),
        "{}",
        answer.text
    );
    let body = answer.json();
    let text = |error: &Value, key: &str| error[key].as_str().unwrap().to_owned();
    let errors = body["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            assert!(!text(error, "message").is_empty());
            (
                error["row"].as_i64(),
                text(error, "pointer"),
                text(error, "code"),
            )
        })
        .collect()
}
