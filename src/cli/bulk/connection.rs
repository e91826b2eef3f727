//! The gateway's bulk API, as a client calls it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, Url};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The most problems that are shown.
const SHOWN: usize = 50;

/// Where the gateway is, and who calls it.
#[derive(Debug, clap::Args)]
pub(super) struct Caller {
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
pub(super) struct Connection {
    http: Client,
    caller: Caller,
    base: String,
}

/// Where a batch stands, as the gateway says it.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    #[serde(rename = "batch_status")]
    pub(super) word: String,
    pub(super) summary: Summary,
    pub(super) metadata: Metadata,
    pub(super) pagination: Pagination,
    pub(super) records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) total: u64,
    pub(super) ready: u64,
    pub(super) in_progress: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) progress_percentage: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pagination {
    pub(super) has_next: bool,
}

/// A failed row.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    pub(super) id: usize,
    pub(super) retry_eligible: Option<String>,
    pub(super) error: Option<RecordError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RecordError {
    pub(super) code: String,
    pub(super) message: String,
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
    pub(super) fn new(caller: Caller) -> anyhow::Result<Self> {
        let http = Client::builder()
            .timeout(Duration::from_mins(3))
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        let base = caller.url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, caller, base })
    }

    /// Posts a body; an error says why the gateway did not take it.
    pub(super) async fn post<T: DeserializeOwned>(
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
    pub(super) async fn status(
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
    pub(super) fn has_ended(&self) -> bool {
        self.metadata.progress_percentage == 100
    }

    /// Whether every row has succeeded.
    pub(super) fn has_succeeded(&self) -> bool {
        self.word == "COMPLETED"
    }

    /// How many rows have ended.
    pub(super) fn ended(&self) -> u64 {
        self.summary.completed + self.summary.failed
    }

    /// Whether the summary is of so many rows, each of them counted once.
    pub(super) fn adds_up_to(&self, total: u64) -> bool {
        let Summary {
            ready, in_progress, ..
        } = self.summary;
        self.summary.total == total && ready + in_progress + self.ended() == total
    }

    /// One line for people.
    pub(super) fn text(&self) -> String {
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
