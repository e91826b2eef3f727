//! A client of the gateway's bulk API.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, Url, redirect};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::tls;

/// The largest number of problems that are printed.
const MAX_PRINTED: usize = 50;

/// The address of the gateway, and the credentials of the caller.
#[derive(Debug, clap::Args)]
pub struct Caller {
    /// Set the gateway's address, including its base path.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// Set the header `client_id`; the four headers must match one entry of `BULK_CLIENTS`.
    #[arg(long, env = "BULK_CLIENT_ID")]
    client_id: String,
    /// Set the header `client_secret`.
    #[arg(long, env = "BULK_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
    /// Set the header `appIdentifier`.
    #[arg(long, env = "BULK_APP_IDENTIFIER")]
    app_identifier: String,
    /// Set the header `organisationId`.
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

/// The status of a batch, as the gateway reports it.
#[derive(Debug, Deserialize)]
pub struct Status {
    /// The status of the whole batch (`batch_status`).
    #[serde(rename = "batch_status")]
    pub status: String,
    /// The number of rows in each status.
    pub summary: Summary,
    /// The progress of the batch.
    pub metadata: Metadata,
    /// Whether more pages follow.
    pub pagination: Pagination,
    /// The rows of this page.
    pub records: Vec<Record>,
}

/// The number of rows in each status.
#[derive(Debug, Deserialize)]
pub struct Summary {
    /// All rows.
    pub total: u64,
    /// Rows for which nothing was sent yet.
    pub ready: u64,
    /// Rows that are being run.
    pub in_progress: u64,
    /// Rows that succeeded.
    pub completed: u64,
    /// Rows that failed, without an effect.
    pub failed: u64,
    /// Rows that ended long ago, and whose data was dropped.
    #[serde(default)]
    pub archived: u64,
}

/// The progress of a batch.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// The percentage of rows that have ended.
    pub progress_percentage: u64,
}

/// The position of a page in the batch.
#[derive(Debug, Deserialize)]
pub struct Pagination {
    /// Whether another page follows.
    pub has_next: bool,
}

/// A failed row.
#[derive(Debug, Deserialize)]
pub struct Record {
    /// The row's number in the file, from 1.
    pub id: usize,
    /// Whether the row may be sent again: `Yes`, `No`, `YesWithModifications`.
    pub retry_eligible: Option<String>,
    /// The reason of the failure.
    pub error: Option<RecordError>,
}

/// The reason why a row failed.
#[derive(Debug, Deserialize)]
pub struct RecordError {
    /// The stable code of the reason.
    pub code: String,
    /// The message for people.
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
    /// Creates a connection for this caller.
    pub fn new(caller: Caller) -> anyhow::Result<Self> {
        let http = tls::http_client()
            .timeout(Duration::from_mins(3))
            // A redirect could send the secret and the batch to another host.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .context("cannot create the HTTP client")?;
        let base = caller.url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, caller, base })
    }

    /// Posts a body and parses the answer. If the gateway refuses the request, the error contains the reasons.
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
        let body = answer
            .bytes()
            .await
            .context("the gateway closed the connection")?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .context("the gateway's answer is not an answer of the bulk API");
        }
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => bail!("{}", refusal.text()),
            Err(_) => bail!("the gateway answered {status}: is the bulk API on (BULK_CLIENTS)?"),
        }
    }

    /// Reads a page of the rows that match the filters.
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
        let more = self.errors.len().saturating_sub(MAX_PRINTED) + self.errors_not_listed;
        let more = (more > 0).then(|| format!("\n  and {more} more"));
        let problems = self.errors.iter().take(MAX_PRINTED).map(|problem| {
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
    /// Whether all rows have ended.
    pub fn has_ended(&self) -> bool {
        self.metadata.progress_percentage == 100
    }

    /// Whether every row has succeeded.
    pub fn has_succeeded(&self) -> bool {
        self.status == "COMPLETED"
    }

    /// The status as one line for people.
    pub fn text(&self) -> String {
        let Summary {
            total,
            ready,
            in_progress,
            completed,
            failed,
            archived,
        } = self.summary;
        let archived = if archived > 0 {
            format!(", {archived} archived")
        } else {
            String::new()
        };
        format!(
            "{}: {}% of {total} rows; {ready} ready, {in_progress} in progress, {completed} completed, {failed} failed{archived}",
            self.status, self.metadata.progress_percentage
        )
    }
}
