//! How the demo looks: one line a step, a summary, and what to try next.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::{
    caller::{Seen, Sent, TOKEN},
    script::{Examples, Expected, Step},
    stage::Stage,
};
use crate::domain::OperationType;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

/// How much of Fineract's answer fits beside the rest.
const LONGEST_ANSWER: usize = 64;

/// What a chapter is about.
pub(super) fn show_title(title: &str) {
    anstream::println!("\n{BOLD}{title}{BOLD:#}");
}

/// Where something of the demo is.
pub(super) fn show_place(name: &str, place: &str) {
    anstream::println!("  {name:<10} {place}");
}

/// A step that has ended, or that has not when it should have.
pub(super) fn show_step(step: &Step, sent: &Sent, seen: &Seen) {
    let is_met = seen.end == Some(step.expected);
    let (mark, colour) = if is_met { ("ok", GREEN) } else { ("!!", RED) };
    let milliseconds = seen.took.as_millis();
    let answer = cut(&seen.answer);
    let Step { about, .. } = step;
    anstream::println!(
        "  {colour}{mark}{colour:#}  {about:<11}  {:<50}  {colour}{:<10}{colour:#}  {milliseconds:>5} ms  {DIM}{answer}{DIM:#}",
        sent.tracking_id,
        seen.status,
    );
    if !is_met {
        anstream::println!("      {RED}expected: {}{RED:#}", in_words(step.expected));
    }
}

fn in_words(expected: Expected) -> &'static str {
    match expected {
        Expected::Success => "success",
        Expected::Refusal => "failed, refused by Fineract",
        Expected::RefusalUnsent => "failed, refused by the gateway, unsent",
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_ANSWER) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What came of the demo.
#[derive(Debug, Default)]
pub(super) struct Summary {
    accepted_in: Vec<Duration>,
    took: Vec<Duration>,
    unexpected: usize,
    last: Option<String>,
}

impl Summary {
    /// Counts a step.
    pub(super) fn add(&mut self, sent: &Sent, seen: &Seen, expected: Expected) {
        self.accepted_in.push(sent.accepted_in);
        self.took.push(seen.took);
        self.unexpected += usize::from(seen.end != Some(expected));
        self.last = Some(sent.tracking_id.clone());
    }

    /// Whether every step ended as it should have.
    pub(super) fn is_good(&self) -> bool {
        self.unexpected == 0
    }

    /// The whole in two lines.
    pub(super) fn show(&self) {
        let count = self.took.len();
        if self.is_good() {
            anstream::println!("\n{GREEN}{count} operations, all as expected.{GREEN:#}");
        } else {
            let unexpected = self.unexpected;
            anstream::println!(
                "\n{RED}{count} operations, {unexpected} not as expected: see !! above.{RED:#}"
            );
        }
        anstream::println!(
            "The median operation was accepted in {:.1?} and ended after {:.1?}.",
            median(&self.accepted_in),
            median(&self.took)
        );
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Commands that work as they stand.
pub(super) fn show_what_to_try(stage: &Stage, examples: &Examples, summary: &Summary) {
    let api = format!("http://{}", stage.address);
    let token = format!("-H 'X-Internal-Token: {TOKEN}'");
    let client = examples.step(OperationType::ClientCreate, 3, "");
    let body: String = client.body.split_whitespace().collect::<Vec<_>>().join(" ");
    show_title("Try");
    anstream::println!(
        "  curl -i {api}/api/v1/fineract/operate {token} -H 'Content-Type: application/json' \\\n       -d '{body}'"
    );
    if let Some(tracking_id) = &summary.last {
        anstream::println!("  curl '{api}/api/v1/fineract/track/{tracking_id}' {token}");
    }
    anstream::println!("  curl {api}/readyz");
    if let Some(sandbox) = stage.sandbox {
        anstream::println!("  curl http://{sandbox}/sandbox/ledger");
    }
    anstream::println!("\nCtrl-C ends everything and leaves nothing behind.");
}
