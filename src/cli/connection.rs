//! A client of the gateway's API with the header `X-Internal-Token`, for operators (`ops`) and for callers.

use std::time::Duration;

use anyhow::Context as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::settings;
use crate::tls;

/// How long the gateway may take for one answer. A preview of a large repair takes longest, and a caller may ask the
/// gateway to wait for up to 50 s.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// Whose token a connection sends.
#[derive(Debug)]
pub(super) struct User {
    /// The variable that contains the token. There is no argument for it, because other users of a machine see the
    /// arguments of its processes.
    pub(super) variable: &'static str,
    /// The setting of the gateway that lists the tokens.
    pub(super) setting: &'static str,
    /// What to check if an answer is not one of the API.
    pub(super) hint: &'static str,
}

/// A connection to the gateway.
#[derive(Debug)]
pub(super) struct Connection {
    http: Client,
    base: String,
    token: SecretString,
    hint: &'static str,
}

/// The gateway's refusal of a request.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Refusal {
    status: StatusCode,
    text: String,
}

/// An error of the gateway (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
    code: String,
    #[serde(default)]
    errors: Vec<ProblemItem>,
    /// The cursor before the oldest events, if events after the given cursor have been deleted.
    oldest: Option<i64>,
}

#[derive(Deserialize)]
struct ProblemItem {
    pointer: String,
    message: String,
}

impl Connection {
    /// Creates a connection. Fails if there is no token.
    pub(super) fn new(url: &Url, user: &User) -> anyhow::Result<Self> {
        let User {
            variable,
            setting,
            hint,
        } = *user;
        let token = settings::variables()?(variable).filter(|token| !token.trim().is_empty());
        let token = token.with_context(|| {
            format!(
                "{variable} is not set: put one of the secrets of {setting} into the environment"
            )
        })?;
        let http = tls::http_client()
            .connect_timeout(Duration::from_secs(10))
            // A redirect could send the token to another host.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .context("cannot create the HTTP client")?;
        Ok(Self {
            http,
            base: url.as_str().trim_end_matches('/').to_owned(),
            token: token.trim().to_owned().into(),
            hint,
        })
    }

    /// Reads, and returns the body of the answer.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(String, String)],
    ) -> anyhow::Result<String> {
        self.answer(self.request(Method::GET, path).query(query))
            .await
    }

    /// Posts, and returns the body of the answer.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<String> {
        self.answer(self.request(Method::POST, path).json(body))
            .await
    }

    /// A request with the token. The path begins after the base path.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/{path}", self.base))
            .header("X-Internal-Token", self.token.expose_secret())
    }

    /// Sends a request, and returns the body of the answer.
    pub(super) async fn answer(&self, request: RequestBuilder) -> anyhow::Result<String> {
        let response = self.send(request.timeout(ANSWER_TIMEOUT)).await?;
        let text = response.text().await.map_err(reqwest::Error::without_url);
        text.context("the gateway closed the connection")
    }

    /// Sends a request, and returns the response. If the gateway refuses the request, the error contains the reasons.
    pub(super) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        let response = sent.context("the gateway does not answer")?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.text().await.unwrap_or_default();
        let text = match serde_json::from_str::<Problem>(&body) {
            Ok(problem) => problem.text(),
            Err(_) => format!("the gateway answered {status}: {}", self.hint),
        };
        Err(Refusal { status, text }.into())
    }
}

impl Refusal {
    /// Whether the gateway has certainly not done what was asked, and would refuse the same request again.
    pub(super) fn is_final(&self) -> bool {
        let may_pass = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        !self.status.is_server_error() && !may_pass.contains(&self.status)
    }
}

impl Problem {
    fn text(&self) -> String {
        let oldest = self.oldest;
        let oldest = oldest.map(|oldest| format!("\n  the cursor before the oldest is {oldest}"));
        let items = self.errors.iter();
        let items = items.map(|item| format!("\n  {} {}", item.pointer, item.message));
        let summary = format!("{} ({})", self.detail, self.code);
        std::iter::once(summary)
            .chain(oldest)
            .chain(items)
            .collect()
    }
}

/// Parses an answer.
pub(super) fn parse<T: DeserializeOwned>(body: &str) -> anyhow::Result<T> {
    serde_json::from_str(body).context("the gateway's answer is not an answer of its API")
}

/// An id as a segment of a path.
pub(super) fn segment(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}
