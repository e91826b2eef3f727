//! A client of the gateway's operators' API.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, Response, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{cli::settings, tls};

/// The variable that contains the token. There is no argument for it, because other users of a machine see the
/// arguments of its processes.
const TOKEN: &str = "OPS_TOKEN";

/// How long the gateway may take for one answer. A preview of a large repair takes longest.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// The address of the gateway. The token comes from the environment.
#[derive(Debug, clap::Args)]
pub(super) struct Gateway {
    /// Set the gateway's address, including its base path. The token (one of `OPS_TOKENS`) is read from `OPS_TOKEN`, in the
    /// environment or in .env.
    #[arg(long, env = "OPS_URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
}

/// A connection to the gateway.
#[derive(Debug)]
pub(super) struct Connection {
    http: Client,
    base: String,
    token: SecretString,
}

/// An error of the gateway (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
    code: String,
    #[serde(default)]
    errors: Vec<ProblemItem>,
}

#[derive(Deserialize)]
struct ProblemItem {
    pointer: String,
    message: String,
}

impl Connection {
    /// Creates a connection. Fails if there is no token.
    pub(super) fn new(gateway: &Gateway) -> anyhow::Result<Self> {
        let token = settings::variables()?(TOKEN).filter(|token| !token.trim().is_empty());
        let token = token.with_context(|| {
            format!("{TOKEN} is not set: put one of the secrets of OPS_TOKENS into the environment")
        })?;
        let http = tls::http_client()
            .connect_timeout(Duration::from_secs(10))
            .no_proxy()
            .build()
            .context("cannot create the HTTP client")?;
        Ok(Self {
            http,
            base: gateway.url.as_str().trim_end_matches('/').to_owned(),
            token: token.trim().to_owned().into(),
        })
    }

    /// Reads, and returns the body of the answer.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(String, String)],
    ) -> anyhow::Result<String> {
        let request = self.request(Method::GET, path).query(query);
        self.answer(request.timeout(ANSWER_TIMEOUT)).await
    }

    /// Posts, and returns the body of the answer.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<String> {
        let request = self.request(Method::POST, path).json(body);
        self.answer(request.timeout(ANSWER_TIMEOUT)).await
    }

    /// Opens the stream of events after the event with this number; without a number, from now on.
    pub(super) async fn stream(&self, after: Option<&str>) -> anyhow::Result<Response> {
        let mut request = self.request(Method::GET, "events");
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        accepted(request.send().await?).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}/fineract/{path}", self.base))
            .header("X-Internal-Token", self.token.expose_secret())
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<String> {
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        let response = accepted(sent.context("the gateway does not answer")?).await?;
        response
            .text()
            .await
            .context("the gateway closed the connection")
    }
}

/// The response, or the reasons of the gateway's refusal as an error.
async fn accepted(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    let Ok(problem) = serde_json::from_str::<Problem>(&body) else {
        bail!(
            "the gateway answered {status}: is the operators' API on (OPS_TOKENS), and is the address right?"
        );
    };
    let items = problem
        .errors
        .iter()
        .map(|item| format!("\n  {} {}", item.pointer, item.message));
    Err(anyhow!(
        "{} ({}){}",
        problem.detail,
        problem.code,
        items.collect::<String>()
    ))
}

/// Parses an answer.
pub(super) fn parse<T: DeserializeOwned>(body: &str) -> anyhow::Result<T> {
    serde_json::from_str(body)
        .context("the gateway's answer is not an answer of the operators' API")
}

/// An id as a segment of a path.
pub(super) fn segment(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}
