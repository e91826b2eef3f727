//! What needs a person now.

use std::{cmp::Reverse, collections::BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{format::duration, need::Need, reasons::reason, row::short, webhooks::in_trouble};
use crate::{
    http::{api_error::ApiError, operators::StatusBody, state::ApiState},
    store::{Count, CountBy, ListRequest, OperationFilter, StateFilter},
};

/// How long a runnable operation may wait before a person should look.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(2);
/// How old a transaction may become before a person should look, in seconds.
const LONGEST_TRANSACTION: f64 = 300.0;

/// Everything that needs a person, the most urgent first.
pub(super) async fn needs(
    api: &ApiState,
    status: &StatusBody,
    now: DateTime<Utc>,
) -> Result<Vec<Need>, ApiError> {
    let mut needs = Vec::new();
    for count in &status.system.parked {
        needs.push(parked(api, count, now).await?);
    }
    needs.extend(of_workers(status, now));
    needs.extend(of_holds(status, now));
    needs.extend(failures(api, now).await?);
    needs.extend(in_trouble(api, now).await?);
    needs.extend(of_system(status));
    needs.sort_by_key(|need| match need.tone {
        "tone-bad" => 0,
        "tone-warn" => 1,
        _ => 2,
    });
    Ok(needs)
}

async fn parked(api: &ApiState, count: &Count, now: DateTime<Utc>) -> Result<Need, ApiError> {
    let oldest = ListRequest {
        filter: OperationFilter {
            state: Some(StateFilter::Parked),
            reason_code: Some(count.value.clone()),
            ..OperationFilter::default()
        },
        sort: None,
        limit: 1,
        after: None,
    };
    let oldest = api.store.list(&oldest).await?.operations.into_iter().next();
    let since = oldest.and_then(|oldest| oldest.reason_since);
    let advice = reason(&count.value).map_or("", |reason| reason.advice);
    let advice = if advice.starts_with("Nothing") {
        "The gateway has tried for long enough and stopped. Look in Fineract, and decide."
    } else {
        advice
    };
    Ok(Need {
        tone: "tone-bad",
        count: count.text.clone(),
        what: format!("Parked: {}", lower(&short(&count.value))),
        more: advice.to_owned(),
        age: since.map_or_else(String::new, |since| ago(since, now)),
        address: list_of(&format!("state:parked reason:{}", count.value)),
        go: "Look and decide",
    })
}

/// What the workers say about Fineract.
fn of_workers(status: &StatusBody, now: DateTime<Utc>) -> Vec<Need> {
    let works: Vec<&Value> = status
        .gateways
        .iter()
        .filter_map(|gateway| gateway.work.as_ref())
        .collect();
    let need = |what: String, more: String| Need {
        tone: "tone-bad",
        count: String::new(),
        what,
        more,
        age: String::new(),
        address: "/ops/system".to_owned(),
        go: "Show the system",
    };
    let mut needs = Vec::new();
    if works.is_empty() {
        let more = "Operations are accepted, but nothing is sent to Fineract.".to_owned();
        needs.push(need("No worker is running".to_owned(), more));
    }
    let text = |work: &Value, key: &str| work.get(key).and_then(Value::as_str).map(str::to_owned);
    let reasons: BTreeSet<_> = works
        .iter()
        .filter(|work| text(work, "fineract").as_deref() == Some("blocked"))
        .filter_map(|work| text(work, "reason"))
        .collect();
    for code in reasons {
        let advice = reason(&code).map_or("", |reason| reason.advice);
        needs.push(need(
            format!("Nothing is sent to Fineract: {}", lower(&short(&code))),
            advice.to_owned(),
        ));
    }
    let blocked: BTreeSet<_> = works
        .iter()
        .filter_map(|work| work.get("blocked")?.as_array())
        .flatten()
        .filter_map(|scope| Some((text(scope, "operation_type")?, text(scope, "lender"))))
        .collect();
    for (operation_type, lender) in blocked {
        let (of, lender) = match lender {
            Some(lender) => (format!(" of {lender}"), format!(" lender:{lender}")),
            None => (String::new(), String::new()),
        };
        needs.push(Need {
            tone: "tone-warn",
            address: list_of(&format!("state:open type:{operation_type}{lender}")),
            go: "Show them",
            ..need(
                format!("Every {operation_type}{of} waits, because Fineract lacks something for it"),
                "One of them is tried from time to time. They go on by themselves when it is there.".to_owned(),
            )
        });
    }
    if let Some(since) = status.system.oldest_runnable_since
        && now - since > LONGEST_WAIT
        && !works.is_empty()
    {
        needs.push(Need {
            tone: "tone-warn",
            age: ago(since, now),
            address: list_of("state:ready"),
            go: "Show them",
            ..need(
                "Operations could run and are not run".to_owned(),
                "The workers are busy, or Fineract is slow or away.".to_owned(),
            )
        });
    }
    needs
}

fn of_holds(status: &StatusBody, now: DateTime<Utc>) -> Vec<Need> {
    let count: i64 = status.on_hold.iter().map(|count| count.count).sum();
    let Some(hold) = &status.hold else {
        if count == 0 {
            return Vec::new();
        }
        return vec![Need {
            tone: "tone-warn",
            count: count.to_string(),
            what: "On hold: not sent until an operator releases them".to_owned(),
            more: String::new(),
            age: String::new(),
            address: list_of("state:on_hold"),
            go: "Show them",
        }];
    };
    vec![Need {
        tone: "tone-bad",
        count: count.to_string(),
        what: format!("Everything is on hold, by {}: {}", hold.by, hold.reason),
        more: "Operations are accepted, and nothing is sent.".to_owned(),
        age: ago(hold.since, now),
        address: list_of("state:on_hold"),
        go: "Look and release",
    }]
}

/// The failures of the last hour that nobody has run again, by reason.
async fn failures(api: &ApiState, now: DateTime<Utc>) -> Result<Vec<Need>, ApiError> {
    let filter = OperationFilter {
        state: Some(StateFilter::Failed),
        ended_after: Some(now - TimeDelta::hours(1)),
        retried: Some(false),
        ..OperationFilter::default()
    };
    let mut counts = api.store.count(&filter, CountBy::ReasonCode).await?;
    counts.sort_by_key(|count| Reverse(count.count));
    let needs = counts.into_iter().take(5).map(|count| Need {
        tone: "tone-warn",
        what: format!("Failed: {}", lower(&short(&count.value))),
        more: reason(&count.value).map_or_else(String::new, |reason| reason.advice.to_owned()),
        age: "last hour".to_owned(),
        address: list_of(&format!(
            "state:failed reason:{} ended:1h retried:false",
            count.value
        )),
        go: "Show and repair",
        count: count.text,
    });
    Ok(needs.collect())
}

fn of_system(status: &StatusBody) -> Vec<Need> {
    let need = |tone, what: String, more: &str| Need {
        tone,
        count: String::new(),
        what,
        more: more.to_owned(),
        age: String::new(),
        address: "/ops/system".to_owned(),
        go: "Show the system",
    };
    let mut needs = Vec::new();
    let ignored: Vec<_> = status
        .system
        .key_probes
        .iter()
        .filter(|probe| probe.honoured == Some(false))
        .collect();
    if !ignored.is_empty() {
        let names: Vec<_> = ignored.iter().map(|probe| probe.command.as_str()).collect();
        let what = format!("Fineract ignores idempotency keys for {}", names.join(", "));
        let more = reason("keys_not_honoured").map_or("", |reason| reason.advice);
        needs.push(need("tone-bad", what, more));
    }
    if !status.settings_that_differ.is_empty() {
        let what = format!(
            "Gateways run with different settings: {}",
            status.settings_that_differ.join(", ")
        );
        needs.push(need(
            "tone-warn",
            what,
            "Give all gateways the same settings.",
        ));
    }
    let database = &status.system.database;
    if database.number_conflicts > 0 {
        let what = "Fineract gave two clients or loans the same number".to_owned();
        needs.push(need("tone-warn", what, "docs/OPERATING.md has what to do."));
    }
    if database.oldest_transaction_seconds > LONGEST_TRANSACTION {
        let what =
            "A transaction in the database has been open for more than five minutes".to_owned();
        needs.push(need(
            "tone-warn",
            what,
            "It keeps Postgres from removing old rows. Find and end it.",
        ));
    }
    if status.repairs_running > 0 {
        needs.push(Need {
            count: status.repairs_running.to_string(),
            address: "/ops/repairs".to_owned(),
            go: "Show the progress",
            ..need("tone-busy", "Repairs are running".to_owned(), "")
        });
    }
    needs
}

/// The address of the list with this filter.
fn list_of(bar: &str) -> String {
    let bar = utf8_percent_encode(bar, NON_ALPHANUMERIC);
    format!("/ops/operations?q={bar}")
}

fn ago(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("for {}", duration(now - since))
}

/// A sentence as the second part of another one.
fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let is_word = sentence
        .chars()
        .nth(1)
        .is_some_and(|letter| letter.is_lowercase() || letter == ' ');
    let is_name = sentence.starts_with("Fineract");
    match letters.next() {
        Some(first) if is_word && !is_name => first.to_lowercase().chain(letters).collect(),
        _ => sentence.to_owned(),
    }
}
