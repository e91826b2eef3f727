//! What the sandbox has beside Fineract: faults, the ledger, and how both look over a real connection.

use std::time::Duration;

use fineract_gateway::sandbox::Sandbox;
use reqwest::{Client, RequestBuilder, redirect};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const API: &str = "/fineract-provider/api/v1";

/// How long anything may take to come about.
const DEADLINE: Duration = Duration::from_secs(10);

struct Bench {
    address: String,
    http: Client,
}

/// What a client saw: a status and whether the answer was a stored one, or a connection that closed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Fresh(u16),
    Stored(u16),
    Garbage,
    Closed,
}

impl Bench {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        TaskTracker::new().spawn(Sandbox::new().serve(listener, CancellationToken::new()));
        let http = Client::builder().redirect(redirect::Policy::none()).build();
        Self {
            address,
            http: http.expect("a client"),
        }
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let call = self
            .http
            .post(format!("http://{}{API}{path}", self.address));
        let call = call.basic_auth("mifos", Some("password"));
        let call = call.header("Fineract-Platform-TenantId", "default");
        call.header("Content-Type", "application/json")
            .body(body.to_string())
    }

    /// Sends a CLIENT_CREATE under the key.
    async fn create(&self, key: &str) -> (Seen, Value) {
        let sent = self
            .post("/clients", &client("C-1"))
            .header("Idempotency-Key", key)
            .send()
            .await;
        let Ok(answer) = sent else {
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

    /// Waits until so many effects are in the ledger.
    async fn effects(&self, count: usize) -> bool {
        let come = async { while self.list("ledger").await.len() < count {} };
        timeout(DEADLINE, come).await.is_ok()
    }
}

fn client(external_id: &str) -> Value {
    json!({"officeId": 1, "legalFormId": 1, "firstname": "A", "lastname": "B", "externalId": external_id,
        "active": true, "activationDate": "01 January 2024", "locale": "en", "dateFormat": "dd MMMM yyyy"})
}

fn application(client_id: &Value) -> Value {
    json!({"clientId": client_id, "productId": 2, "loanType": "individual", "principal": 100_000,
        "submittedOnDate": "10 January 2024", "expectedDisbursementDate": "10 January 2024",
        "loanTermFrequency": 12, "loanTermFrequencyType": 2, "numberOfRepayments": 12, "repaymentEvery": 1,
        "repaymentFrequencyType": 2, "interestRatePerPeriod": 8, "interestType": 0,
        "interestCalculationPeriodType": 1, "amortizationType": 1, "externalId": "L-1",
        "transactionProcessingStrategyCode": "mifos-standard-strategy", "locale": "en",
        "dateFormat": "dd MMMM yyyy"})
}

#[tokio::test]
async fn each_fault_is_seen_and_leaves_what_it_should() {
    use Seen::{Closed, Fresh, Garbage, Stored};
    // The fault; what the first request sees; the effects then; what the same key sees again; the effects then.
    let table = [
        (json!({"fault": "reset_before"}), Closed, 0, Fresh(200), 1),
        (json!({"fault": "reset_after"}), Closed, 1, Stored(200), 1),
        (
            json!({"fault": "slow", "delay_ms": 5}),
            Fresh(200),
            1,
            Stored(200),
            1,
        ),
        (
            json!({"fault": "status_500"}),
            Fresh(500),
            0,
            Stored(500),
            0,
        ),
        (
            json!({"fault": "status_502_after"}),
            Fresh(502),
            1,
            Stored(200),
            1,
        ),
        (
            json!({"fault": "truncated_after"}),
            Closed,
            1,
            Stored(200),
            1,
        ),
        (
            json!({"fault": "garbage_after"}),
            Garbage,
            1,
            Stored(200),
            1,
        ),
        (json!({"fault": "stuck"}), Stored(425), 0, Stored(425), 0),
        (
            json!({"fault": "stuck", "effect": true}),
            Stored(425),
            1,
            Stored(425),
            1,
        ),
        (
            json!({"fault": "conflict_409"}),
            Fresh(409),
            0,
            Stored(409),
            0,
        ),
        (
            json!({"fault": "loan_locked"}),
            Fresh(409),
            0,
            Fresh(200),
            1,
        ),
        (
            json!({"fault": "scheduler_503"}),
            Fresh(503),
            0,
            Fresh(200),
            1,
        ),
        (json!({"fault": "redirect"}), Fresh(302), 0, Fresh(200), 1),
        (
            json!({"fault": "unauthorized"}),
            Fresh(401),
            0,
            Fresh(200),
            1,
        ),
        (json!({"fault": "forbidden"}), Fresh(403), 0, Fresh(200), 1),
        (
            json!({"fault": "maker_checker"}),
            Fresh(200),
            0,
            Stored(425),
            0,
        ),
        (
            json!({"fault": "delivered_twice"}),
            Stored(200),
            1,
            Stored(200),
            1,
        ),
    ];
    let bench = Bench::start().await;
    for (fault, first, then, again, at_last) in table {
        bench.admin("reset", &Value::Null).await;
        assert_eq!(bench.admin("faults", &json!([fault])).await, 200, "{fault}");
        assert_eq!(bench.create("k").await.0, first, "{fault}, first");
        assert_eq!(
            bench.list("ledger").await.len(),
            then,
            "{fault}, effects of the first"
        );
        assert_eq!(bench.create("k").await.0, again, "{fault}, again");
        assert_eq!(
            bench.list("ledger").await.len(),
            at_last,
            "{fault}, effects at last"
        );
        let hits: Vec<i64> = bench
            .list("faults")
            .await
            .iter()
            .filter_map(|fault| fault.get("hits")?.as_i64())
            .collect();
        assert_eq!(hits, [1], "{fault}");
    }
}

#[tokio::test]
async fn a_late_effect_comes_after_the_connection_closed() {
    let bench = Bench::start().await;
    bench
        .admin(
            "faults",
            &json!([{"fault": "late_effect", "delay_ms": 300}]),
        )
        .await;
    assert_eq!(bench.create("k").await.0, Seen::Closed);
    assert_eq!(bench.create("k").await.0, Seen::Stored(425));
    assert!(bench.effects(1).await, "the effect never came");
    assert_eq!(bench.create("k").await.0, Seen::Stored(200));
    assert_eq!(bench.list("ledger").await.len(), 1);
}

#[tokio::test]
async fn a_restart_kills_what_runs_and_leaves_its_row() {
    let bench = Bench::start().await;
    let faults = json!([
        {"fault": "late_effect", "delay_ms": 20},
        {"fault": "late_effect", "delay_ms": 200},
    ]);
    bench.admin("faults", &faults).await;
    assert_eq!(bench.create("killed").await.0, Seen::Closed);
    bench.admin("restart", &Value::Null).await;
    // The second is later than the first could have been.
    assert_eq!(bench.create("runs on").await.0, Seen::Closed);
    assert!(bench.effects(1).await, "the effect never came");
    assert_eq!(bench.create("killed").await.0, Seen::Stored(425));
    assert_eq!(bench.list("ledger").await[0]["idempotencyKey"], "runs on");
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_its_command() {
    let bench = Bench::start().await;
    bench
        .admin("faults", &json!([{"fault": "slow", "delay_ms": 60_000}]))
        .await;
    let body = client("C-1").to_string();
    let request = format!(
        "POST {API}/clients HTTP/1.1\r\nHost: sandbox\r\nFineract-Platform-TenantId: default\r\n\
         Authorization: Basic bWlmb3M6cGFzc3dvcmQ=\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&bench.address)
        .await
        .expect("a connection");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the request is sent");
    drop(stream);
    assert!(bench.effects(1).await, "the command was stopped");
}

#[tokio::test]
async fn the_ledger_has_each_effect_in_order() {
    let bench = Bench::start().await;
    let created = bench.create("k1").await.1;
    let send = async |path: &str, key: &str, body: Value| {
        let call = bench.post(path, &body).header("Idempotency-Key", key);
        call.send().await.expect("an answer").status().as_u16()
    };
    let on =
        |name: &str| json!({name: "10 January 2024", "locale": "en", "dateFormat": "dd MMMM yyyy"});
    let mut payment = on("actualDisbursementDate");
    payment["transactionAmount"] = json!("99,999.50");
    payment["externalId"] = json!("T-1");
    assert_eq!(
        send("/loans", "k2", application(&created["clientId"])).await,
        200
    );
    assert_eq!(
        send("/loans", "k3", application(&created["clientId"])).await,
        403
    );
    assert_eq!(
        send(
            "/loans/external-id/L-1?command=approve",
            "k4",
            on("approvedOnDate")
        )
        .await,
        200
    );
    assert_eq!(
        send("/loans/external-id/L-1?command=disburse", "k5", payment).await,
        200
    );
    assert_eq!(
        Value::from(bench.list("ledger").await),
        json!([
            {"seq": 1, "action": "CREATE", "entity": "CLIENT", "externalId": "C-1", "idempotencyKey": "k1"},
            {"seq": 2, "action": "CREATE", "entity": "LOAN", "externalId": "L-1", "idempotencyKey": "k2"},
            {"seq": 3, "action": "APPROVE", "entity": "LOAN", "externalId": "L-1", "idempotencyKey": "k4"},
            {"seq": 4, "action": "DISBURSE", "entity": "LOAN", "externalId": "L-1",
             "transactionExternalId": "T-1", "amount": 99999.50, "idempotencyKey": "k5"},
        ])
    );
}

#[tokio::test]
async fn a_replay_of_a_request_without_a_type_has_every_key() {
    let bench = Bench::start().await;
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let mut call = bench
            .post("/clients", &client("C-1"))
            .header("Idempotency-Key", "k")
            .build()
            .expect("a request");
        call.headers_mut().remove("Content-Type");
        let answer = bench.http.execute(call).await.expect("an answer");
        bodies.push(answer.text().await.expect("a body"));
    }
    assert_eq!(
        bodies,
        [
            r#"{"officeId":1,"clientId":1,"resourceId":1,"resourceExternalId":"C-1"}"#,
            r#"{"commandId":null,"officeId":1,"groupId":null,"clientId":1,"loanId":null,"savingsId":null,"resourceId":1,"subResourceId":null,"transactionId":null,"changes":null,"creditBureauReportData":null,"resourceIdentifier":null,"productId":null,"gsimId":null,"glimId":null,"rollbackTransaction":false,"resourceExternalId":"C-1","subResourceExternalId":null}"#,
        ]
    );
}

#[tokio::test]
async fn refusals_are_laid_out_as_fineract_does_and_end_the_connection() {
    let bench = Bench::start().await;
    let mut body = client("C-1");
    body["legalFormId"] = Value::Null;
    let answer = bench
        .post("/clients", &body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer
            .headers()
            .get("Connection")
            .map(|value| value.as_bytes()),
        Some(&b"close"[..])
    );
    let expected = r#"{
  "developerMessage" : "Sandbox: validation errors exist.",
  "httpStatusCode" : "400",
  "defaultUserMessage" : "Sandbox: validation errors exist.",
  "userMessageGlobalisationCode" : "validation.msg.validation.errors.exist",
  "errors" : [ {
    "defaultUserMessage" : "Sandbox: client legalFormId cannot be blank.",
    "parameterName" : "legalFormId",
    "developerMessage" : "Sandbox: client legalFormId cannot be blank.",
    "userMessageGlobalisationCode" : "validation.msg.client.legalFormId.cannot.be.blank",
    "args" : [ { } ]
  } ]
}"#;
    assert_eq!(answer.text().await.expect("a body"), expected);
}

#[tokio::test]
async fn a_fault_that_is_not_understood_is_refused() {
    let bench = Bench::start().await;
    for bad in [
        json!([{"fault": "earthquake"}]),
        json!([{"fault": "slow", "delay": 5}]),
        json!({}),
        json!([1]),
    ] {
        assert_eq!(bench.admin("faults", &bad).await, 422, "{bad}");
    }
    assert_eq!(bench.list("faults").await.len(), 0);
}

#[tokio::test]
async fn a_fault_strikes_only_what_it_is_for() {
    let bench = Bench::start().await;
    let matched = json!({"method": "POST", "path": "/loans", "command": "approve"});
    let faults = json!([
        {"match": matched, "fault": "reset_before"},
        {"fault": "reset_before", "probability": 0},
    ]);
    assert_eq!(bench.admin("faults", &faults).await, 200);
    assert_eq!(bench.create("k").await.0, Seen::Fresh(200));
    let on =
        json!({"approvedOnDate": "10 January 2024", "locale": "en", "dateFormat": "dd MMMM yyyy"});
    assert!(
        bench
            .post("/loans/1?command=approve", &on)
            .send()
            .await
            .is_err(),
        "the fault did not strike"
    );
    assert_eq!(
        bench
            .post("/loans/1?command=approve", &on)
            .send()
            .await
            .expect("an answer")
            .status(),
        404
    );
}
