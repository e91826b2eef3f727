use std::collections::BTreeSet;

use chrono::NaiveDate;
use fineract_sandbox::{Release, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::recorded::{Names, filled, filled_text, parse, write};

/// The value of the placeholder `{{run}}`.
pub(super) const RUN: &str = "abcdef";

/// The users of the recordings besides `mifos`, each with its permissions. `mifos` has all permissions.
const USERS: [(&str, &[&str]); 5] = [
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
        &["APPROVE_LOAN", "DISBURSE_LOAN", "DELETE_LOAN", "READ_LOAN"],
    ),
    ("auditor", &["APPROVE_LOAN", "READ_LOAN", "READ_AUDIT"]),
    ("plain", &["APPROVE_LOAN", "READ_LOAN"]),
];

/// A client of a sandbox that no other test uses.
pub(super) struct Client {
    base: String,
    http: reqwest::Client,
}

/// An answer of the sandbox. In `body`, numbers are marked texts (see [`parse`]).
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) from_cache: bool,
    pub(super) challenge: Option<String>,
    pub(super) body: Value,
}

impl Client {
    /// Serves the sandbox with the users of the recordings. Its business date is the day when the release was recorded.
    pub(super) async fn start(sandbox: Sandbox, release: Release) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let day = match release {
            Release::Develop => 21,
            Release::V1_10_1 => 28,
        };
        let today = NaiveDate::from_ymd_opt(2026, 11, day).expect("a date");
        let sandbox = sandbox.with_release(release).with_today(today);
        TaskTracker::new().spawn(sandbox.serve(listener, CancellationToken::new()));
        let http = crate::http_client().build().expect("a client");
        let client = Self { base, http };
        for (name, permissions) in USERS {
            let name = format!("{name}{RUN}");
            let user = json!({"name": name, "password": "secret", "permissions": permissions});
            client.admin("/sandbox/users", user.to_string()).await;
        }
        client
    }

    /// Sends a POST to one of the routes below `/sandbox`.
    pub(super) async fn admin(&self, route: &str, body: String) {
        let call = self.http.post(format!("{}{route}", self.base)).body(body);
        let status = call.send().await.expect("an answer").status();
        assert!(status.is_success(), "{route}: {status}");
    }

    /// Sends a GET and returns the body of the answer.
    pub(super) async fn get(&self, path: &str) -> Value {
        self.send(&json!({"method": "GET", "path": path}), &Names::new())
            .await
            .body
    }

    /// Sends a request from a recording, with its placeholders replaced.
    pub(super) async fn send(&self, request: &Value, names: &Names) -> Answer {
        let text = |key: &str| request.get(key).and_then(Value::as_str);
        let without = request.get("without_headers").and_then(Value::as_array);
        let without: BTreeSet<&str> = without
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let method: Method = text("method").expect("a method").parse().expect("a method");
        let path = filled_text(text("path").expect("a path"), names).replace(' ', "%20");
        let url = format!("{}/fineract-provider/api/v1{path}", self.base);
        let mut call = self.http.request(method, url);
        let (user, password) = match text("as") {
            None => ("mifos".to_owned(), "password"),
            Some("bad credentials") => ("mifos".to_owned(), "wrong"),
            Some(user) => (format!("{user}{RUN}"), "secret"),
        };
        if !without.contains("Authorization") {
            call = call.basic_auth(user, Some(password));
        }
        if !without.contains("Fineract-Platform-TenantId") {
            let tenant = text("tenant").unwrap_or("default");
            call = call.header("Fineract-Platform-TenantId", tenant);
        }
        let special = request.get("headers").and_then(Value::as_object);
        let has_type = special.is_some_and(|headers| headers.contains_key("Content-Type"));
        if !without.contains("Content-Type") && !has_type {
            call = call.header("Content-Type", "application/json");
        }
        for (name, value) in special.into_iter().flatten() {
            call = call.header(name, filled_text(value.as_str().unwrap_or_default(), names));
        }
        if let Some(raw) = text("raw_body") {
            call = call.body(raw.to_owned());
        } else if let Some(body) = request.get("body") {
            call = call.body(write(&filled(body, names)));
        }
        Answer::of(call.send().await.expect("an answer")).await
    }
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let header = |name: &str| {
            let value = response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let (content_type, challenge) = (header("Content-Type"), header("WWW-Authenticate"));
        let from_cache = header("x-served-from-cache").is_some();
        let status = response.status().as_u16();
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
