//! `ops show`: shows one operation.

use serde::Deserialize;

use super::gateway::Gateway;
use crate::cli::{
    connection::{parse, segment},
    print::Printer,
};

/// The arguments of `ops show`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    gateway: Gateway,
    /// Give the operation's tracking id or UUID.
    id: String,
    /// Print everything that the gateway shows, as JSON; this may contain personal data.
    #[arg(long)]
    json: bool,
}

/// The parts of an operation that contain no personal data besides the external id in its lanes.
#[derive(Deserialize)]
struct Inspected {
    tracking_id: String,
    state: String,
    on_hold: bool,
    reason_code: Option<String>,
    reason_since: Option<String>,
    caller: String,
    accepted_at: String,
    due_at: Option<String>,
    expires_at: Option<String>,
    ended_at: Option<String>,
    lanes: Vec<LaneEntry>,
    retry_of: Option<String>,
    retried_by: Option<String>,
    waits_for: Vec<Ahead>,
    attempts: Vec<Attempt>,
    audit: Vec<Audited>,
    actions: Vec<PossibleAction>,
}

#[derive(Deserialize)]
struct LaneEntry {
    lane: String,
    position: i64,
}

#[derive(Deserialize)]
struct Ahead {
    tracking_id: String,
    state: String,
}

#[derive(Deserialize)]
struct Attempt {
    number: i32,
    idempotency_key: String,
    sent_at: String,
    status: Option<i16>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Audited {
    at: String,
    operator: String,
    action: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct PossibleAction {
    pub(super) action: String,
    pub(super) possible: bool,
    pub(super) why_not: Option<String>,
}

/// Prints the operation.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let connection = arguments.gateway.connect()?;
    let path = format!("fineract/operations/{}", segment(&arguments.id));
    let body = connection.get(&path, &[]).await?;
    let mut printer = Printer::default();
    if arguments.json {
        // The digits of amounts stay as they are, because the answer is not parsed.
        printer.line(&body)?;
        return Ok(true);
    }
    for (name, value) in parse::<Inspected>(&body)?.lines() {
        printer.line(&format!("{name:<12}  {value}"))?;
    }
    Ok(true)
}

impl Inspected {
    fn lines(self) -> Vec<(&'static str, String)> {
        let hold = if self.on_hold { ", on hold" } else { "" };
        let mut lines = vec![
            ("operation", self.tracking_id),
            ("state", format!("{}{hold}", self.state)),
        ];
        if let Some(code) = self.reason_code {
            let since = self.reason_since.map(|since| format!(" since {since}"));
            lines.push(("reason", format!("{code}{}", since.unwrap_or_default())));
        }
        lines.push(("caller", self.caller));
        lines.push(("accepted", self.accepted_at));
        let others = [
            ("due", self.due_at),
            ("expires", self.expires_at),
            ("ended", self.ended_at),
            ("retry of", self.retry_of),
            ("retried by", self.retried_by),
        ];
        lines.extend(
            others
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        for LaneEntry { lane, position } in self.lanes {
            lines.push(("lane", format!("{lane}, position {position}")));
        }
        for Ahead { tracking_id, state } in self.waits_for {
            lines.push(("waits for", format!("{tracking_id}, {state}")));
        }
        lines.extend(
            self.attempts
                .into_iter()
                .map(|attempt| ("attempt", attempt.text())),
        );
        for Audited {
            at,
            operator,
            action,
            reason,
        } in self.audit
        {
            let reason = reason
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default();
            lines.push(("audit", format!("{at} {operator} {action}{reason}")));
        }
        lines.extend(
            self.actions
                .into_iter()
                .map(|action| ("action", action.text())),
        );
        lines
    }
}

impl Attempt {
    fn text(self) -> String {
        let result = match (self.status, self.error) {
            (Some(status), _) => format!("answered {status}"),
            (None, Some(error)) => error,
            (None, None) => "no answer yet".to_owned(),
        };
        let Self {
            number,
            idempotency_key,
            sent_at,
            ..
        } = self;
        format!("{number}, {sent_at}, key {idempotency_key}, {result}")
    }
}

impl PossibleAction {
    pub(super) fn text(self) -> String {
        let Self {
            action,
            possible,
            why_not,
        } = self;
        if possible {
            format!("{action}: possible")
        } else {
            format!("{action}: not possible: {}", why_not.unwrap_or_default())
        }
    }
}
