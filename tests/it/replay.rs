//! Replays the recordings of a real Fineract against the sandbox, scenario by scenario.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::NaiveDate;
use fineract_gateway::sandbox::Sandbox;
use futures_util::future::join_all;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::recorded::{Comparison, Names, filled, filled_text, parse, write};

const SCENARIOS: [&str; 18] = [
    "setup",
    "transport",
    "client-create",
    "client-update",
    "loan-create",
    "loan-create-refused",
    "loan-update",
    "loan-approve",
    "loan-disburse",
    "loan-disburse-tranches",
    "loan-delete",
    "overpayment",
    "idempotency",
    "idempotency-more",
    "crashed",
    "concurrency",
    "permissions",
    "lifecycle",
];

/// What a user of the recordings may do, beside `mifos`.
const USERS: [(&str, &[&str]); 3] = [
    ("reader", &["READ_CLIENT", "READ_LOAN"]),
    (
        "maker",
        &[
            "APPROVE_LOAN",
            "CREATE_CLIENT",
            "ACTIVATE_CLIENT",
            "READ_LOAN",
        ],
    ),
    (
        "gateway",
        &[
            "CREATE_CLIENT",
            "UPDATE_CLIENT",
            "READ_CLIENT",
            "ACTIVATE_CLIENT",
            "CREATE_LOAN",
            "UPDATE_LOAN",
            "DELETE_LOAN",
            "READ_LOAN",
            "APPROVE_LOAN",
            "DISBURSE_LOAN",
            "REPAYMENT_LOAN",
            "READ_LOANPRODUCT",
            "READ_PAYMENTTYPE",
        ],
    ),
];

/// What the recorder did by SQL before a step, and we by the sandbox's own routes.
const BEFORE: [(&str, usize, &str, &str); 7] = [
    (
        "client-update",
        15,
        "fineract",
        r#"{"officeId": 1, "legalFormId": 1, "fullname": "U2", "externalId": "client.u2-x", "locale": "en", "dateFormat": "dd MMMM yyyy"}"#,
    ),
    (
        "crashed",
        3,
        "/sandbox/locks",
        r#"{"externalId": "loan.cr-x"}"#,
    ),
    (
        "crashed",
        6,
        "/sandbox/locks",
        r#"{"externalId": "loan.cr-x", "locked": false}"#,
    ),
    (
        "crashed",
        8,
        "/sandbox/strand",
        r#"{"action": "DISBURSE", "entity": "LOAN", "key": "cr-abcdef-2"}"#,
    ),
    (
        "crashed",
        12,
        "/sandbox/strand",
        r#"{"action": "DELETE", "entity": "LOAN", "key": "cr-abcdef-3"}"#,
    ),
    (
        "permissions",
        8,
        "/sandbox/maker-checker",
        r#"["APPROVE_LOAN", "CREATE_CLIENT"]"#,
    ),
    ("permissions", 8, "/sandbox/faults", "[]"),
];

const RUN: &str = "abcdef";

struct Replay {
    base: String,
    client: Client,
    scenario: &'static str,
    names: Names,
    /// The last client created by the scenario: recorded races leave their bodies out.
    last_client: Value,
}

/// An answer, or what was recorded of one.
struct Answer {
    status: u16,
    content_type: Option<String>,
    from_cache: bool,
    challenge: Option<String>,
    body: Value,
}

#[tokio::test]
#[expect(
    clippy::print_stdout,
    reason = "the count of exchanges is what the test reports"
)]
async fn the_sandbox_answers_as_recorded() {
    let mut failures = Vec::new();
    for scenario in SCENARIOS {
        let (right, all, differences) = Replay::start(scenario).await.run().await;
        println!("{scenario}: {right} of {all} exchanges");
        failures.extend(differences);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

impl Replay {
    async fn start(scenario: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let sandbox = if scenario == "setup" {
            Sandbox::unprepared()
        } else {
            Sandbox::new()
        };
        let sandbox = sandbox.with_today(NaiveDate::from_ymd_opt(2026, 11, 21).expect("a date"));
        TaskTracker::new().spawn(sandbox.serve(listener, CancellationToken::new()));
        let names = [("run", RUN), ("mobile", "9999999999"), ("tx.1", "T-1")];
        let names = names
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .into();
        let client = Client::builder().build().expect("a client");
        let mut replay = Self {
            base,
            client,
            scenario,
            names,
            last_client: Value::Null,
        };
        for (name, permissions) in USERS {
            let user = json!({"name": format!("{name}{RUN}"), "password": "secret", "permissions": permissions});
            replay.admin("/sandbox/users", user.to_string()).await;
        }
        replay.name_products().await;
        replay
    }

    /// Binds the ids of products and of the payment type, and one external id that must be too long.
    async fn name_products(&mut self) {
        for (path, prefix) in [
            ("/loanproducts", "product."),
            ("/paymenttypes", "paymentType."),
        ] {
            let answer = self.send(&json!({"method": "GET", "path": path})).await;
            for thing in answer.body.as_array().expect("a list") {
                let name = thing["name"]
                    .as_str()
                    .unwrap_or_default()
                    .replace("Bank transfer", "BANK");
                self.names
                    .insert(format!("{prefix}{name}"), thing["id"].clone());
            }
        }
        self.names.insert(
            "loan.714623.externalId".to_owned(),
            Value::from("e".repeat(101)),
        );
    }

    /// Sends every step; counts the exchanges that are as recorded and says what is not.
    async fn run(mut self) -> (usize, usize, Vec<String>) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/recorded/{}.json", self.scenario));
        let recording = parse(&std::fs::read_to_string(file).expect("a recording")).expect("JSON");
        let steps = recording["steps"].as_array().expect("steps");
        let (mut right, mut all, mut failures, mut index) = (0, 0, Vec::new(), 0);
        while index < steps.len() {
            self.prepare(index).await;
            let racing = steps[index..]
                .iter()
                .take_while(|step| step["request"]["concurrent"] == true)
                .count();
            let group = &steps[index..index + racing.max(1)];
            index += group.len();
            let exchanges: Vec<&Value> = group
                .iter()
                .filter(|step| step.get("request").is_some())
                .collect();
            let mut answers = join_all(exchanges.iter().map(|step| self.send_step(step))).await;
            for step in exchanges {
                all += 1;
                let mut best: Option<(usize, Vec<String>)> = None;
                for (candidate, answer) in answers.iter().enumerate() {
                    let differences = self.differences(step, answer);
                    if best
                        .as_ref()
                        .is_none_or(|(_, least)| differences.len() < least.len())
                    {
                        best = Some((candidate, differences));
                    }
                }
                let (chosen, differences) = best.expect("an answer");
                self.bind(step, &answers.remove(chosen).body);
                right += usize::from(differences.is_empty());
                let at = format!(
                    "{} {}: {} {}",
                    self.scenario,
                    index - 1,
                    step["request"]["method"],
                    step["request"]["path"]
                );
                failures.extend(
                    differences
                        .into_iter()
                        .map(|difference| format!("{at}: {difference}")),
                );
            }
        }
        (right, all, failures)
    }

    async fn prepare(&self, index: usize) {
        for (_, _, route, body) in BEFORE
            .iter()
            .filter(|(scenario, at, ..)| (*scenario, *at) == (self.scenario, index))
        {
            if *route == "fineract" {
                let body = parse(body).expect("JSON");
                self.send(&json!({"method": "POST", "path": "/clients", "body": body}))
                    .await;
            } else {
                self.admin(route, (*body).to_owned()).await;
            }
        }
    }

    async fn admin(&self, route: &str, body: String) {
        let sent = self
            .client
            .post(format!("{}{route}", self.base))
            .body(body)
            .send()
            .await
            .expect("an answer");
        assert!(sent.status().is_success(), "{route}: {}", sent.status());
    }

    async fn send_step(&self, step: &Value) -> Answer {
        let mut request = step["request"].clone();
        if request["concurrent"] == true {
            request["body"] = self.racing_body(step);
        }
        if let (Some(id), Some(charge)) = (
            self.names.get("loanCharge"),
            request.pointer_mut("/body/charges/0/id"),
        ) {
            *charge = id.clone();
        }
        self.send(&request).await
    }

    /// The body of a request that was recorded in a race, where it is left out.
    fn racing_body(&self, step: &Value) -> Value {
        if step["request"]["path"] != "/clients" {
            return json!({"approvedOnDate": "10 January 2024", "expectedDisbursementDate": "10 January 2024",
                "locale": "en", "dateFormat": "dd MMMM yyyy"});
        }
        let in_result = step.pointer("/response/body/resourceExternalId");
        let external_id = in_result.or(step.pointer("/response/body/errors/0/args/0/value"));
        let mut body = self.last_client.clone();
        body["externalId"] = external_id.expect("an external id").clone();
        body
    }

    async fn send(&self, request: &Value) -> Answer {
        let text = |key: &str| request[key].as_str();
        let without: BTreeSet<&str> = request["without_headers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let method: Method = text("method").expect("a method").parse().expect("a method");
        let path = filled_text(text("path").expect("a path"), &self.names).replace(' ', "%20");
        let mut call = self.client.request(
            method,
            format!("{}/fineract-provider/api/v1{path}", self.base),
        );
        let user = match text("as") {
            None => ("mifos".to_owned(), "password"),
            Some("bad credentials") => ("mifos".to_owned(), "wrong"),
            Some(user) => (format!("{user}{RUN}"), "secret"),
        };
        if !without.contains("Authorization") {
            call = call.basic_auth(user.0, Some(user.1));
        }
        if !without.contains("Fineract-Platform-TenantId") {
            call = call.header(
                "Fineract-Platform-TenantId",
                text("tenant").unwrap_or("default"),
            );
        }
        let special = request["headers"].as_object();
        if !without.contains("Content-Type")
            && special.is_none_or(|headers| !headers.contains_key("Content-Type"))
        {
            call = call.header("Content-Type", "application/json");
        }
        for (name, value) in special.into_iter().flatten() {
            call = call.header(
                name,
                filled_text(value.as_str().unwrap_or_default(), &self.names),
            );
        }
        if let Some(raw) = text("raw_body") {
            call = call.body(raw.to_owned());
        } else if let Some(body) = request.get("body") {
            call = call.body(write(&filled(body, &self.names)));
        }
        Answer::of(call.send().await.expect("an answer")).await
    }

    /// Learns what a step names, and remembers the body of the last client.
    fn bind(&mut self, step: &Value, body: &Value) {
        for (name, pointer) in step["bind"].as_object().into_iter().flatten() {
            let value = body.pointer(pointer.as_str().unwrap_or_default());
            self.names
                .insert(name.clone(), value.cloned().unwrap_or_default());
        }
        if step["request"]["path"] == "/clients"
            && step["request"]["body"].get("officeId").is_some()
        {
            self.last_client = step["request"]["body"].clone();
        }
    }

    fn differences(&self, step: &Value, answer: &Answer) -> Vec<String> {
        let mut names = self.names.clone();
        for (name, pointer) in step["bind"].as_object().into_iter().flatten() {
            if let Some(value) = answer.body.pointer(pointer.as_str().unwrap_or_default()) {
                names.insert(name.clone(), value.clone());
            }
        }
        let is_read = step["request"]["method"] == "GET";
        let mut comparison = Comparison {
            names: &names,
            is_read,
            differences: Vec::new(),
        };
        let response = &step["response"];
        let header = |name: &str| response["headers"].get(name).cloned().unwrap_or_default();
        comparison.value(
            "status",
            &response["status"],
            &Value::from(format!("#{}", answer.status)),
        );
        let is_race = step["request"]["concurrent"] == true;
        if !is_race {
            comparison.value(
                "Content-Type",
                &header("Content-Type"),
                &answer.content_type.clone().into(),
            );
        }
        comparison.value(
            "WWW-Authenticate",
            &header("WWW-Authenticate"),
            &answer.challenge.clone().into(),
        );
        comparison.value(
            "x-served-from-cache",
            &(header("x-served-from-cache") == "true").into(),
            &answer.from_cache.into(),
        );
        let mut body = answer.body.clone();
        if let (Some(keys), Some(members)) =
            (response["only_keys"].as_array(), body.as_object_mut())
        {
            members.retain(|key, _| keys.iter().any(|kept| kept == key));
        }
        comparison.value("", &response["body"], &body);
        comparison.differences
    }
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let (content_type, challenge) = (header("Content-Type"), header("WWW-Authenticate"));
        let (status, from_cache) = (
            response.status().as_u16(),
            header("x-served-from-cache").is_some(),
        );
        let text = response.text().await.expect("a body");
        let body = parse(&text).unwrap_or(Value::from(text));
        Self {
            status,
            content_type,
            from_cache,
            challenge,
            body,
        }
    }
}
