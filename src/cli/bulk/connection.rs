//! The gateway's bulk API, as a client calls it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, Url};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::tls;

/// The most problems that are shown.
const SHOWN: usize = 50;

/// Where the gateway is, and who calls it.
#[derive(Debug, clap::Args)]
pub struct Caller {
    /// The gateway's address, with its base path.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// The header `client_id`; the four are one entry of `BULK_CLIENTS`.
    #[arg(long, env = "BULK_CLIENT_ID")]
    client_id: String,
    /// The header `client_secret`.
    #[arg(long, env = "BULK_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
    /// The header `appIdentifier`.
    #[arg(long, env = "BULK_APP_IDENTIFIER")]
    app_identifier: String,
    /// The header `organisationId`.
    #[arg(long, env = "BULK_ORGANISATION_ID")]
    organisation_id: String,
}

/// A connection to the gateway.
#[derive(Debug)]
pub struct Connection {
    http: Client,
    caller: Caller,
    base: String,
}

/// Where a batch stands, as the gateway says it.
#[derive(Debug, Deserialize)]
pub struct Status {
    /// `batch_status`.
    #[serde(rename = "batch_status")]
    pub word: String,
    /// How many rows stand where.
    pub summary: Summary,
    /// How far it is.
    pub metadata: Metadata,
    /// Whether there is more.
    pub pagination: Pagination,
    /// The rows of this page.
    pub records: Vec<Record>,
}

/// How many rows of a batch stand where.
#[derive(Debug, Deserialize)]
pub struct Summary {
    /// All rows.
    pub total: u64,
    /// Those of which nothing was sent.
    pub ready: u64,
    /// Those on their way.
    pub in_progress: u64,
    /// Those that are done.
    pub completed: u64,
    /// Those that have ended without an effect.
    pub failed: u64,
}

/// How far a batch is.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// How many of a hundred rows have ended.
    pub progress_percentage: u64,
}

/// Which part of a batch a page is.
#[derive(Debug, Deserialize)]
pub struct Pagination {
    /// Whether another page follows.
    pub has_next: bool,
}

/// A failed row.
#[derive(Debug, Deserialize)]
pub struct Record {
    /// Its place in the file, from 1.
    pub id: usize,
    /// Whether it may be sent again: `Yes`, `No`, `YesWithModifications`.
    pub retry_eligible: Option<String>,
    /// Why it failed.
    pub error: Option<RecordError>,
}

/// Why a row failed.
#[derive(Debug, Deserialize)]
pub struct RecordError {
    /// A stable code.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

#[derive(Deserialize)]
struct Enveloped {
    data: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    error_code: String,
    error_msg: String,
    #[serde(default)]
    errors: Vec<Problem>,
    #[serde(default)]
    errors_not_listed: usize,
}

#[derive(Deserialize)]
struct Problem {
    row: Option<u64>,
    line: Option<u64>,
    pointer: String,
    message: String,
}

impl Connection {
    /// A connection for this caller.
    pub fn new(caller: Caller) -> anyhow::Result<Self> {
        let http = tls::http_client()
            .timeout(Duration::from_mins(3))
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        let base = caller.url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, caller, base })
    }

    /// Posts a body; an error says why the gateway did not take it.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        media_type: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<T> {
        let answer = self
            .http
            .post(format!("{}/bulk/{path}", self.base))
            .query(query)
            .header("client_id", &self.caller.client_id)
            .header("client_secret", &self.caller.client_secret)
            .header("appIdentifier", &self.caller.app_identifier)
            .header("organisationId", &self.caller.organisation_id)
            .header("Content-Type", media_type)
            .body(body)
            .send()
            .await
            .context("the gateway does not answer")?;
        let status = answer.status();
        let body = answer.bytes().await.context("the gateway is gone")?;
        if status.is_success() {
            return serde_json::from_slice(&body).context("the gateway's answer is none of bulk's");
        }
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => bail!("{}", refusal.text()),
            Err(_) => bail!("the gateway answered {status}: is bulk on (BULK_CLIENTS)?"),
        }
    }

    /// Reads a page of the rows that are as asked for.
    pub async fn status(
        &self,
        reference_id: &str,
        filters: Value,
        page: u32,
        limit: u32,
    ) -> anyhow::Result<Status> {
        let query = json!({
            "reference_id": reference_id, "filters": filters, "page": page, "limit": limit
        });
        let body = query.to_string().into_bytes();
        let Enveloped { data } = self.post("status", &[], "application/json", body).await?;
        Ok(data)
    }
}

impl Refusal {
    fn text(&self) -> String {
        let more = self.errors.len().saturating_sub(SHOWN) + self.errors_not_listed;
        let more = (more > 0).then(|| format!("\n  and {more} more"));
        let problems = self.errors.iter().take(SHOWN).map(|problem| {
            let Problem {
                row,
                line,
                pointer,
                message,
            } = problem;
            let row = row.map(|row| format!("row {row} ")).unwrap_or_default();
            let line = line.map(|line| format!("(line {line}) "));
            format!("\n  {row}{}{pointer} {message}", line.unwrap_or_default())
        });
        let summary = format!("{} ({})", self.error_msg, self.error_code);
        std::iter::once(summary)
            .chain(problems)
            .chain(more)
            .collect()
    }
}

impl Status {
    /// Whether nothing will change any more.
    pub fn has_ended(&self) -> bool {
        self.metadata.progress_percentage == 100
    }

    /// Whether every row has succeeded.
    pub fn has_succeeded(&self) -> bool {
        self.word == "COMPLETED"
    }

    /// One line for people.
    pub fn text(&self) -> String {
        let Summary {
            total,
            ready,
            in_progress,
            completed,
            failed,
        } = self.summary;
        format!(
            "{}: {}% of {total} rows; {ready} ready, {in_progress} in progress, {completed} completed, {failed} failed",
            self.word, self.metadata.progress_percentage
        )
    }
}
