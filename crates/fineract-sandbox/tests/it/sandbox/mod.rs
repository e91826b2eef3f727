//! Tests of what the sandbox has in addition to Fineract's behaviour: faults, the ledger, and rules beyond the
//! recordings. All use a real connection.

mod checkers;
mod faults;
mod keys;
mod release;
mod rules;
mod wire;

use std::time::Duration;

use fineract_sandbox::Sandbox;
use reqwest::{Client, Method, RequestBuilder, redirect};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const API: &str = "/fineract-provider/api/v1";

/// How long a test waits for an event.
const DEADLINE: Duration = Duration::from_secs(10);

struct Bench {
    address: String,
    http: Client,
}

/// The result of a request: a status, with a stored answer or not; a body that is not JSON; or a closed connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Fresh(u16),
    Stored(u16),
    Garbage,
    Closed,
}

impl Bench {
    async fn start() -> Self {
        Self::serving(Sandbox::new()).await
    }

    async fn serving(sandbox: Sandbox) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        TaskTracker::new().spawn(sandbox.serve(listener, CancellationToken::new()));
        let http = crate::http_client()
            .redirect(redirect::Policy::none())
            .build();
        Self {
            address,
            http: http.expect("a client"),
        }
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.call("mifos", Method::POST, path, body)
    }

    /// A request of this user. The password of every user is `password`.
    fn call(&self, user: &str, method: Method, path: &str, body: &Value) -> RequestBuilder {
        let call = self
            .http
            .request(method, format!("http://{}{API}{path}", self.address));
        let call = call.basic_auth(user, Some("password"));
        let call = call.header("Fineract-Platform-TenantId", "default");
        call.header("Content-Type", "application/json")
            .body(body.to_string())
    }

    /// Sends the command to create client `C-1`, under this key.
    async fn create(&self, key: &str) -> (Seen, Value) {
        let call = self.post("/clients", &client("C-1"));
        self.see(call.header("Idempotency-Key", key)).await
    }

    /// Sends a request to Fineract's API that must succeed. Returns the body of the answer.
    async fn done(&self, method: Method, path: &str, body: &Value) -> Value {
        let (seen, answer) = self.see(self.call("mifos", method, path, body)).await;
        assert_eq!(seen, Seen::Fresh(200), "{path}: {answer}");
        answer
    }

    async fn see(&self, call: RequestBuilder) -> (Seen, Value) {
        let Ok(answer) = call.send().await else {
            return (Seen::Closed, Value::Null);
        };
        let stored = answer.headers().contains_key("x-served-from-cache");
        let status = answer.status().as_u16();
        let is_json = answer
            .headers()
            .get("Content-Type")
            .is_some_and(|kind| kind == "application/json");
        let Ok(text) = answer.text().await else {
            return (Seen::Closed, Value::Null);
        };
        match serde_json::from_str(&text) {
            Err(_) if is_json => (Seen::Garbage, Value::Null),
            body => {
                let seen = if stored {
                    Seen::Stored(status)
                } else {
                    Seen::Fresh(status)
                };
                (seen, body.unwrap_or_default())
            }
        }
    }

    async fn admin(&self, route: &str, body: &Value) -> u16 {
        let call = self
            .http
            .post(format!("http://{}/sandbox/{route}", self.address));
        call.body(body.to_string())
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16()
    }

    async fn list(&self, route: &str) -> Vec<Value> {
        let call = self
            .http
            .get(format!("http://{}/sandbox/{route}", self.address));
        let text = call
            .send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("a body");
        serde_json::from_str(&text).expect("a list")
    }

    /// Waits until the ledger contains this number of effects. Returns `false` if the deadline passes before.
    async fn effects(&self, count: usize) -> bool {
        let come = async { while self.list("ledger").await.len() < count {} };
        timeout(DEADLINE, come).await.is_ok()
    }
}

fn code(refusal: &Value) -> &str {
    let code = refusal.pointer("/errors/0/userMessageGlobalisationCode");
    code.and_then(Value::as_str).unwrap_or_default()
}

fn client(external_id: &str) -> Value {
    json!({"officeId": 1, "legalFormId": 1, "firstname": "A", "lastname": "B", "externalId": external_id,
        "active": true, "activationDate": "01 January 2024", "locale": "en", "dateFormat": "dd MMMM yyyy"})
}

/// The body of an application for client 1.
fn application(product: &Value, external_id: &str) -> Value {
    json!({"clientId": 1, "productId": product, "loanType": "individual", "principal": 100_000,
        "submittedOnDate": "10 January 2024", "expectedDisbursementDate": "10 January 2024",
        "loanTermFrequency": 12, "loanTermFrequencyType": 2, "numberOfRepayments": 12, "repaymentEvery": 1,
        "repaymentFrequencyType": 2, "interestRatePerPeriod": 8, "interestType": 0,
        "interestCalculationPeriodType": 0, "amortizationType": 1, "externalId": external_id,
        "transactionProcessingStrategyCode": "mifos-standard-strategy", "locale": "en",
        "dateFormat": "dd MMMM yyyy"})
}
