//! A caller of the gateway's API over HTTP, like a loan origination system.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use fineract_gateway::tls::http_client;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use super::script::Expected;

/// The caller's token.
pub(super) const TOKEN: &str = "demo-token";

/// The four headers that identify a bulk client.
pub(super) const BULK_HEADERS: [(&str, &str); 4] = [
    ("client_id", "demo-client"),
    ("client_secret", "demo-secret"),
    ("appIdentifier", "demo-app"),
    ("organisationId", "demo-org"),
];
/// The key of the transactions API.
pub(super) const API_KEY: &str = "demo-key";

/// The token of the operator.
pub(super) const OPS_TOKEN: &str = "demo-ops-token";

/// A caller, with the address of the API.
#[derive(Debug)]
pub(super) struct Caller {
    http: Client,
    base: String,
    /// How long an operation may take before the demo reports it as stuck.
    patience: Duration,
}

/// An accepted operation.
#[derive(Debug)]
pub(super) struct Sent {
    /// The tracking id of the operation.
    pub(super) tracking_id: String,
    /// The time from the POST to the 202.
    pub(super) accepted_in: Duration,
    at: Instant,
}

/// The last answer of track.
#[derive(Debug)]
pub(super) struct Seen {
    /// `success`, `failed`, or still `processing`.
    pub(super) status: String,
    /// How the operation ended, or `None` if it has not ended.
    pub(super) end: Option<Expected>,
    /// Fineract's answer, or the reason why there is none, on one line.
    pub(super) answer: String,
    /// The time from the POST to the end.
    pub(super) took: Duration,
}

#[derive(Debug, Deserialize)]
struct Accepted {
    tracking_id: String,
}

#[derive(Debug, Deserialize)]
struct Tracked {
    status: String,
    success_response: Option<Box<RawValue>>,
    failure_response: Option<Value>,
    error_message: Option<String>,
}

impl Caller {
    /// A caller of the API at this address.
    pub(super) fn new(api: SocketAddr, patience: Duration) -> anyhow::Result<Self> {
        let http = http_client()
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self {
            http,
            base: format!("http://{api}/api/v1"),
            patience,
        })
    }

    /// How long an operation may take.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Posts to a route of the bulk API, and parses the answer.
    pub(super) async fn bulk<T: DeserializeOwned>(
        &self,
        route: &str,
        body: &Value,
    ) -> anyhow::Result<T> {
        let url = format!("{}/bulk/{route}", self.base);
        let request = BULK_HEADERS
            .iter()
            .fold(self.http.post(url), |request, (name, value)| {
                request.header(*name, *value)
            });
        Ok(serde_json::from_str(&answer(request.json(body)).await?)?)
    }

    /// Posts to another server of the demo.
    pub(super) async fn post(&self, url: &str, body: &Value) -> anyhow::Result<String> {
        answer(self.http.post(url).json(body)).await
    }

    /// Performs an operator's action on an operation.
    pub(super) async fn operate_on(
        &self,
        sent: &Sent,
        action: &str,
        body: &Value,
    ) -> anyhow::Result<String> {
        let url = format!(
            "{}/fineract/operations/{}/{action}",
            self.base, sent.tracking_id
        );
        let request = self.http.post(url).header("X-Internal-Token", OPS_TOKEN);
        answer(request.json(body)).await
    }

    /// Makes a link with which to sign in to the operators' page once.
    pub(super) async fn sign_in_link(&self) -> anyhow::Result<String> {
        let page = self.base.trim_end_matches("/api/v1");
        let request = self.http.post(format!("{page}/ops/sign-in-links"));
        answer(request.header("X-Internal-Token", OPS_TOKEN)).await
    }

    /// Reads a transaction. Returns the body unchanged.
    pub(super) async fn transaction(&self, id: &str) -> anyhow::Result<String> {
        let url = format!("{}/transactions/{id}/", self.base);
        let request = self.http.get(url);
        answer(request.header("Authorization", format!("Token {API_KEY}"))).await
    }

    /// Sends an operation and waits for its acceptance.
    pub(super) async fn send(&self, body: &str) -> anyhow::Result<Sent> {
        let sent_at = Instant::now();
        let request = self
            .http
            .post(format!("{}/fineract/operate", self.base))
            .header("X-Internal-Token", TOKEN)
            .header("Content-Type", "application/json")
            .body(body.to_owned());
        let answer = request.send().await.context("the gateway is gone")?;
        let status = answer.status();
        let text = answer.text().await.context("the gateway is gone")?;
        if status != StatusCode::ACCEPTED {
            bail!("the gateway answered {status}: {text}");
        }
        let Accepted { tracking_id } = serde_json::from_str(&text)?;
        Ok(Sent {
            tracking_id,
            accepted_in: sent_at.elapsed(),
            at: sent_at,
        })
    }

    /// Polls until the operation has ended, or has taken longer than `patience`.
    pub(super) async fn follow(&self, sent: &Sent) -> anyhow::Result<Seen> {
        let url = format!("{}/fineract/track/{}", self.base, sent.tracking_id);
        loop {
            let request = self
                .http
                .get(&url)
                .header("X-Internal-Token", TOKEN)
                .header("Prefer", "wait=5");
            let answer = request.send().await.context("the gateway is gone")?;
            let tracked: Tracked = answer
                .json()
                .await
                .context("the answer of track cannot be read")?;
            let took = sent.at.elapsed();
            if tracked.status != "processing" || took > self.patience {
                return Ok(Seen::new(tracked, took));
            }
        }
    }
}

impl Seen {
    fn new(tracked: Tracked, took: Duration) -> Self {
        let end = match (tracked.status.as_str(), &tracked.failure_response) {
            ("success", _) => Some(Expected::Success),
            ("failed", Some(_)) => Some(Expected::Refusal),
            ("failed", None) => Some(Expected::RefusalUnsent),
            _ => None,
        };
        let message = tracked.error_message.unwrap_or_default();
        let answer = match (tracked.success_response, tracked.failure_response) {
            (Some(success), _) => success.get().to_owned(),
            (None, Some(failure)) => format!("{message}: {}", reason(&failure)),
            (None, None) => message,
        };
        Self {
            status: tracked.status,
            end,
            answer: answer.split_whitespace().collect::<Vec<_>>().join(" "),
            took,
        }
    }
}

/// The body of a successful answer.
async fn answer(request: RequestBuilder) -> anyhow::Result<String> {
    let answer = request.send().await.context("the gateway is gone")?;
    let status = answer.status();
    let text = answer.text().await.context("the gateway is gone")?;
    if !status.is_success() {
        bail!("the gateway answered {status}: {text}");
    }
    Ok(text)
}

/// The error message for people from Fineract's answer.
fn reason(failure: &Value) -> &str {
    ["/errors/0/defaultUserMessage", "/defaultUserMessage"]
        .into_iter()
        .find_map(|pointer| failure.pointer(pointer)?.as_str())
        .unwrap_or("it gives no reason")
}
