//! `operate`: submits one operation.

use std::{io::read_to_string, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use reqwest::{Method, header::HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    caller::Caller,
    connection::{Connection, Refusal, parse},
    print::Printer,
    track::Tracked,
    wait::wait,
};
use crate::{
    domain::OperationType,
    operations::{entry, is_json_number, json_text, object, requires_number},
};

/// The arguments of `operate`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    caller: Caller,
    /// Give the operation type, such as `LOAN_APPROVE`.
    #[arg(value_name = "TYPE")]
    operation_type: String,
    /// Give the fields of the payload, such as `principal=100000.50 "submittedOnDate=11 January 2026"`. A field that is
    /// documented as a number is sent with exactly these digits, and every other field as a text.
    #[arg(
        value_name = "KEY=VALUE",
        value_parser = field,
        required_unless_present_any = ["data", "file"],
        conflicts_with_all = ["data", "file"]
    )]
    fields: Vec<Field>,
    /// Give the whole payload as JSON.
    #[arg(long, value_name = "JSON", conflicts_with = "file")]
    data: Option<String>,
    /// Read the payload, which is JSON, from this file; `-` is the standard input. Other users of the machine see the
    /// other arguments, but not the file.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Repeat an earlier command safely: with the same key and the same payload, it submits no second operation. Without
    /// it, the key is random.
    #[arg(long, value_name = "KEY", value_parser = key)]
    idempotency_key: Option<String>,
    /// Do not send the operation to Fineract after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Wait until the operation has ended, for at most this number of seconds.
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u32>,
    /// Print the gateway's answers as JSON.
    #[arg(long)]
    json: bool,
}

/// A field of a payload.
#[derive(Clone, Debug)]
struct Field {
    key: String,
    value: String,
}

fn field(text: &str) -> Result<Field, &'static str> {
    let (key, value) = text.split_once('=').ok_or("is not KEY=VALUE")?;
    let (key, value) = (key.to_owned(), value.to_owned());
    Ok(Field { key, value })
}

fn key(text: &str) -> Result<String, &'static str> {
    let is_possible = HeaderValue::from_str(text).is_ok();
    is_possible
        .then(|| text.to_owned())
        .ok_or("must have visible ASCII characters only")
}

/// The body of the request.
#[derive(Serialize)]
struct Envelope<'a> {
    status: &'a str,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<&'a str>,
}

/// Submits the operation, and waits for its end if that is wanted. The exit code then shows how it ended.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let payload = payload(&arguments)?;
    let body = serde_json::to_string(&Envelope {
        status: &arguments.operation_type,
        data: &payload,
        expires_at: arguments.expires_at.as_deref(),
    })?;
    let connection = arguments.caller.connect()?;
    let key = arguments.idempotency_key;
    let key = key.unwrap_or_else(|| Uuid::new_v4().to_string());
    let submitted = submit(&connection, &key, body).await;
    let (answer, tracked) = submitted.map_err(|error| {
        let refusal = error.downcast_ref::<Refusal>();
        if refusal.is_some_and(Refusal::is_final) {
            return error;
        }
        error.context(format!(
            "the operation may have been accepted; to be sure, repeat the command with --idempotency-key {key}"
        ))
    })?;
    let mut printer = Printer::default();
    printer.line(if arguments.json {
        &answer
    } else {
        &tracked.tracking_id
    })?;
    match arguments.wait {
        Some(seconds) => {
            let id = &tracked.tracking_id;
            wait(&connection, id, Some(seconds), arguments.json).await
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Sends the operation, and returns the gateway's answer.
async fn submit(
    connection: &Connection,
    key: &str,
    body: String,
) -> anyhow::Result<(String, Tracked)> {
    let request = connection
        .request(Method::POST, "fineract/operate")
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", key)
        .body(body);
    let answer = connection.answer(request).await?;
    let tracked = parse(&answer)?;
    Ok((answer, tracked))
}

/// The payload. It is never parsed, so its numbers keep their digits.
fn payload(arguments: &Arguments) -> anyhow::Result<Box<RawValue>> {
    let text = match (&arguments.data, &arguments.file) {
        (Some(data), _) => data.clone(),
        (None, Some(file)) if file.as_os_str() == "-" => {
            read_to_string(std::io::stdin()).context("cannot read the standard input")?
        }
        (None, Some(file)) => std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?,
        (None, None) => return Ok(payload_of(&arguments.operation_type, &arguments.fields)),
    };
    serde_json::from_str(&text).context("the payload is not JSON")
}

/// The payload with these fields. The gateway checks them, and reports all problems at once.
fn payload_of(operation_type: &str, fields: &[Field]) -> Box<RawValue> {
    let entry = OperationType::from_name(operation_type).and_then(entry);
    object(fields.iter().map(|Field { key, value }| {
        let is_number =
            is_json_number(value) && entry.is_some_and(|entry| requires_number(entry, key));
        let value = if is_number {
            value.clone()
        } else {
            json_text(value)
        };
        (key.as_str(), value)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_everything_else_is_a_text() {
        for (operation_type, fields, expected) in [
            (
                "LOAN_CREATE",
                &[
                    "principal=100000.10",
                    "interestRatePerPeriod=1e-2",
                    "externalId=7",
                ][..],
                r#"{"principal":100000.10,"interestRatePerPeriod":1e-2,"externalId":"7"}"#,
            ),
            (
                "LOAN_REPAYMENT",
                &[
                    "transactionAmount=12345678901234567.89",
                    "utr_payment_id=007",
                    "note=a=\"b\"",
                ],
                r#"{"transactionAmount":12345678901234567.89,"utr_payment_id":"007","note":"a=\"b\""}"#,
            ),
            (
                "LOAN_REPAYMENT",
                &["transactionAmount=1,000", "transactionAmount=", "unknown=5"],
                r#"{"transactionAmount":"1,000","transactionAmount":"","unknown":"5"}"#,
            ),
            ("CLIENT_CREATE", &["mobileNo=99"], r#"{"mobileNo":"99"}"#),
            ("NO_TYPE", &["principal=1"], r#"{"principal":"1"}"#),
        ] {
            let fields: Vec<_> = fields.iter().map(|text| field(text).unwrap()).collect();
            assert_eq!(payload_of(operation_type, &fields).get(), expected);
        }
        assert!(field("principal").is_err());
    }
}
