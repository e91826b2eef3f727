//! Replays the recordings of a real Fineract against the sandbox, scenario by scenario.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing a JSON value by a missing key returns null"
)]

mod client;
mod products;
mod recorded;
mod scenarios;

use fineract_sandbox::{Release, Sandbox};
use futures_util::future::join_all;
use serde_json::{Value, json};

use client::{Answer, Client, RUN};
use recorded::{Comparison, Names};
use scenarios::{BEFORE, recording, scenarios};

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the test reports its counts")]
async fn the_sandbox_answers_as_recorded() {
    let mut failures = Vec::new();
    for (release, scenario) in scenarios() {
        let (right, all, differences) = Replay::start(release, scenario).await.run().await;
        println!("{release:?} {scenario}: {right} of {all} exchanges");
        failures.extend(differences);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A scenario that is replayed on a sandbox that no other test uses.
struct Replay {
    release: Release,
    scenario: &'static str,
    client: Client,
    names: Names,
    /// The body of the last `POST /clients`. The recordings of simultaneous requests omit their bodies, so this one is
    /// used.
    last_client: Value,
}

impl Replay {
    async fn start(release: Release, scenario: &'static str) -> Self {
        let is_fresh = scenario == "setup";
        let sandbox = if is_fresh {
            Sandbox::unprepared()
        } else {
            Sandbox::new()
        };
        let client = Client::start(sandbox, release).await;
        let mut names = Names::new();
        for (name, value) in [("run", RUN), ("mobile", "9999999999"), ("tx.1", "T-1")] {
            names.insert(name.to_owned(), value.into());
        }
        names.insert("loan.714623.externalId".to_owned(), "e".repeat(101).into());
        for (path, prefix) in [
            ("/loanproducts", "product."),
            ("/paymenttypes", "paymentType."),
        ] {
            for thing in client.get(path).await.as_array().expect("a list") {
                let name = thing["name"].as_str().unwrap_or_default();
                let name = name.replace("Bank transfer", "BANK");
                names.insert(format!("{prefix}{name}"), thing["id"].clone());
            }
        }
        Self {
            release,
            scenario,
            client,
            names,
            last_client: Value::Null,
        }
    }

    /// Sends all steps. Returns the number of exchanges that are as recorded, the number of all exchanges, and a
    /// description of each difference.
    async fn run(&mut self) -> (usize, usize, Vec<String>) {
        let recording = recording(self.release, self.scenario);
        let steps = recording["steps"].as_array().expect("steps");
        let (mut right, mut all, mut failures, mut index) = (0, 0, Vec::new(), 0);
        while index < steps.len() {
            self.prepare(index).await;
            let is_racing = |step: &&Value| step["request"]["concurrent"] == true;
            let racing = steps[index..].iter().take_while(is_racing).count();
            let group = &steps[index..index + racing.max(1)];
            index += group.len();
            let exchanges = || group.iter().filter(|step| step.get("request").is_some());
            let mut answers = join_all(exchanges().map(|step| self.send(step))).await;
            for step in exchanges() {
                all += 1;
                let differences = |answer: &Answer| self.differences(step, answer).len();
                let closest = (0..answers.len()).min_by_key(|at| differences(&answers[*at]));
                let answer = answers.swap_remove(closest.expect("an answer"));
                let differences = self.differences(step, &answer);
                self.bind(step, &answer.body);
                right += usize::from(differences.is_empty());
                let request = &step["request"];
                let at = format!("{} {}", request["method"], request["path"]);
                let told = |difference: String| {
                    format!("{:?} {} {at}: {difference}", self.release, self.scenario)
                };
                failures.extend(differences.into_iter().map(told));
            }
        }
        (right, all, failures)
    }

    async fn prepare(&self, index: usize) {
        let now = |at: &&(&str, usize, &str, &str)| (at.0, at.1) == (self.scenario, index);
        for (_, _, route, body) in BEFORE.iter().filter(now) {
            if route.starts_with("/sandbox/") {
                self.client.admin(route, (*body).to_owned()).await;
            } else {
                let request = json!({"method": "POST", "path": route, "raw_body": body});
                self.client.send(&request, &self.names).await;
            }
        }
    }

    async fn send(&self, step: &Value) -> Answer {
        let mut request = step["request"].clone();
        if request["concurrent"] == true {
            request["body"] = self.racing_body(step);
        }
        // The recording contains this id as a number instead of a placeholder.
        let id = request.pointer_mut("/body/charges/0/id");
        if let (Some(charge), Some(id)) = (self.names.get("loanCharge"), id) {
            *id = charge.clone();
        }
        self.client.send(&request, &self.names).await
    }

    /// The body of a request that was recorded as one of several simultaneous requests. The recording omits it.
    fn racing_body(&self, step: &Value) -> Value {
        if step["request"]["path"] != "/clients" {
            let on = "10 January 2024";
            return json!({"approvedOnDate": on, "expectedDisbursementDate": on, "locale": "en",
                "dateFormat": "dd MMMM yyyy"});
        }
        let body = &step["response"]["body"];
        let given = body.get("resourceExternalId");
        let external_id = given.or(body.pointer("/errors/0/args/0/value"));
        let mut body = self.last_client.clone();
        body["externalId"] = external_id.expect("an external id").clone();
        body
    }

    /// Stores the values that the step binds to names, and the body of the last client.
    fn bind(&mut self, step: &Value, body: &Value) {
        self.names = self.names_after(step, body);
        let request = &step["request"];
        if request["path"] == "/clients" && request["body"].get("officeId").is_some() {
            self.last_client = request["body"].clone();
        }
    }

    fn names_after(&self, step: &Value, body: &Value) -> Names {
        let mut names = self.names.clone();
        for (name, pointer) in step["bind"].as_object().into_iter().flatten() {
            let value = body.pointer(pointer.as_str().unwrap_or_default());
            names.extend(value.map(|value| (name.clone(), value.clone())));
        }
        names
    }

    fn differences(&self, step: &Value, answer: &Answer) -> Vec<String> {
        let names = self.names_after(step, &answer.body);
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
            &format!("#{}", answer.status).into(),
        );
        // For simultaneous requests, the recordings contain no Content-Type.
        if step["request"]["concurrent"] != true {
            let content_type = answer.content_type.clone();
            comparison.value(
                "Content-Type",
                &header("Content-Type"),
                &content_type.into(),
            );
        }
        let challenge = answer.challenge.clone();
        comparison.value(
            "WWW-Authenticate",
            &header("WWW-Authenticate"),
            &challenge.into(),
        );
        let from_cache = header("x-served-from-cache") == "true";
        comparison.value("cached", &from_cache.into(), &answer.from_cache.into());
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
