//! Sends a batch in which one row fails (document 002), and polls it until it has ended. Then reads the disbursement of
//! the batch as a transaction (document 003).

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{json, value::RawValue};

use super::{
    caller::Caller,
    screen::{self, Summary},
    script::{Examples, Step},
};
use fineract_gateway::domain::OperationType;

/// The client's name of the batch.
pub(super) const REFERENCE_ID: &str = "batch-20251110-001";
/// The polling interval.
const POLL: Duration = Duration::from_millis(100);

/// The answer of `POST /bulk/status`.
#[derive(Deserialize)]
struct BatchResponse {
    data: Progress,
}

#[derive(Deserialize)]
struct Progress {
    batch_status: String,
    summary: Counts,
    records: Vec<Record>,
}

#[derive(Deserialize, PartialEq)]
struct Counts {
    total: u64,
    ready: u64,
    in_progress: u64,
    completed: u64,
    failed: u64,
}

/// A row of the batch.
#[derive(Deserialize)]
struct Record {
    consent_id: String,
    status: String,
    retry_eligible: Option<String>,
    error: Option<RecordError>,
}

#[derive(Deserialize)]
struct RecordError {
    code: String,
    message: String,
}

/// A row of the batch, with its expected status.
struct Row {
    operation_type: OperationType,
    step: Step,
    expected: &'static str,
}

/// Sends the batch and shows its progress until it has ended. Then shows the disbursement of the batch as a
/// transaction.
pub(super) async fn play(
    caller: &Caller,
    examples: &Examples,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    use OperationType::{ClientCreate, LoanApprove, LoanCreate, LoanDisburse};
    screen::show_title("A batch of five rows, the last about a deleted loan");
    let row = |operation_type, loan, expected| Row {
        operation_type,
        step: examples.step(operation_type, 4, loan),
        expected,
    };
    let rows = [
        row(ClientCreate, "LOAN-400", "COMPLETED"),
        row(LoanCreate, "LOAN-400", "COMPLETED"),
        row(LoanApprove, "LOAN-400", "COMPLETED"),
        Row {
            step: examples
                .step(LoanDisburse, 4, "LOAN-400")
                .with("200000", "100000"),
            ..row(LoanDisburse, "LOAN-400", "COMPLETED")
        },
        row(LoanApprove, "LOAN-124", "FAILED"),
    ];
    let operations: Vec<&RawValue> = rows
        .iter()
        .map(|row| serde_json::from_str(&row.step.body))
        .collect::<Result<_, _>>()?;
    let batch = json!({
        "reference_id": REFERENCE_ID, "file_name": "november.json", "operations": operations
    });
    let _: IgnoredAny = caller.bulk("schedule", &batch).await?;
    let status = follow(caller).await?;
    for (row, record) in rows.iter().zip(&status.records) {
        let tracking_id = format!("{}|{}", row.operation_type, record.consent_id);
        let is_met = record.status == row.expected;
        let detail = record.detail();
        screen::show_row(
            &row.step.about,
            &tracking_id,
            &record.status,
            is_met,
            &detail,
        );
        summary.add_row(is_met);
    }
    let payout = rows
        .iter()
        .position(|row| row.operation_type == LoanDisburse)
        .and_then(|row| status.records.get(row));
    let payout = payout.context("the batch has no disbursement")?;
    show_transaction(caller, &payout.consent_id, summary).await
}

/// Shows each change of the batch's status, until the batch has ended.
async fn follow(caller: &Caller) -> anyhow::Result<Progress> {
    let started = Instant::now();
    let mut shown = None;
    loop {
        let query = json!({ "reference_id": REFERENCE_ID });
        let BatchResponse { data } = caller.bulk("status", &query).await?;
        if shown.as_ref() != Some(&data.summary) {
            screen::show_progress(&data.text());
        }
        if matches!(data.batch_status.as_str(), "COMPLETED" | "FAILED") {
            return Ok(data);
        }
        if started.elapsed() > caller.patience() {
            bail!("the batch has not ended: {}", data.text());
        }
        shown = Some(data.summary);
        tokio::time::sleep(POLL).await;
    }
}

async fn show_transaction(caller: &Caller, id: &str, summary: &mut Summary) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Transaction {
        operation_type: String,
        status: String,
    }
    screen::show_title("Its disbursement, as a transaction");
    let text = caller.transaction(id).await?;
    let transaction: Transaction = serde_json::from_str(&text)?;
    let is_met = transaction.operation_type == "withdrawal" && transaction.status == "success";
    screen::show_row("LOAN-400", id, &transaction.status, is_met, "");
    screen::show_progress(&text);
    summary.note_transaction(id, is_met);
    Ok(())
}

impl Progress {
    fn text(&self) -> String {
        let Counts {
            total,
            ready,
            in_progress,
            completed,
            failed,
        } = self.summary;
        format!(
            "{}: of {total} rows {ready} ready, {in_progress} in progress, {completed} completed, {failed} failed",
            self.batch_status
        )
    }
}

impl Record {
    fn detail(&self) -> String {
        let Some(RecordError { code, message }) = &self.error else {
            return String::new();
        };
        let retry = self.retry_eligible.as_deref().unwrap_or_default();
        format!("{message} ({code}); send again: {retry}")
    }
}
