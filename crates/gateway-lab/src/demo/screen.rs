//! The output of the demo: one line for each step, a summary, and commands to try.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::{
    batch::REFERENCE_ID,
    caller::{API_KEY, BULK_HEADERS, Seen, Sent, TOKEN},
    script::{Examples, Expected, Step},
    stage::Stage,
};
use fineract_gateway::domain::OperationType;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

/// The number of characters of Fineract's answer that fit on a line.
const LONGEST_ANSWER: usize = 64;

/// Shows the title of a chapter.
pub(super) fn show_title(title: &str) {
    anstream::println!("\n{BOLD}{title}{BOLD:#}");
}

/// Shows the address or the path of a part of the demo.
pub(super) fn show_place(name: &str, place: &str) {
    anstream::println!("  {name:<10} {place}");
}

/// Shows a step that has ended, or that has not ended in time.
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

/// Shows a row or transaction, and whether its status is as expected.
pub(super) fn show_row(about: &str, id: &str, status: &str, is_met: bool, detail: &str) {
    let (mark, colour) = if is_met { ("ok", GREEN) } else { ("!!", RED) };
    anstream::println!(
        "  {colour}{mark}{colour:#}  {about:<11}  {id:<50}  {colour}{status:<10}{colour:#}  {DIM}{detail}{DIM:#}"
    );
}

/// Shows a line of progress.
pub(super) fn show_progress(text: &str) {
    anstream::println!("      {DIM}{text}{DIM:#}");
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

/// The results of the demo.
#[derive(Debug, Default)]
pub(super) struct Summary {
    count: usize,
    accepted_in: Vec<Duration>,
    took: Vec<Duration>,
    unexpected: usize,
    last: Option<String>,
    transaction: Option<String>,
}

impl Summary {
    /// Counts a step.
    pub(super) fn add(&mut self, sent: &Sent, seen: &Seen, expected: Expected) {
        self.count += 1;
        self.accepted_in.push(sent.accepted_in);
        self.took.push(seen.took);
        self.unexpected += usize::from(seen.end != Some(expected));
        self.last = Some(sent.tracking_id.clone());
    }

    /// Counts a row of a batch.
    pub(super) fn add_row(&mut self, is_met: bool) {
        self.count += 1;
        self.unexpected += usize::from(!is_met);
    }

    /// Adds the transaction of an operation. The operation itself is already counted.
    pub(super) fn note_transaction(&mut self, id: &str, is_met: bool) {
        self.unexpected += usize::from(!is_met);
        self.transaction = Some(id.to_owned());
    }

    /// Whether every step ended as expected.
    pub(super) fn is_good(&self) -> bool {
        self.unexpected == 0
    }

    /// Shows the results in two lines.
    pub(super) fn show(&self) {
        let count = self.count;
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

/// Shows commands that can be copied and run without changes.
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
    let headers = BULK_HEADERS.map(|(name, value)| format!("-H '{name}: {value}'"));
    anstream::println!(
        "  curl {api}/api/v1/bulk/status {} -H 'Content-Type: application/json' \\\n       -d '{{\"reference_id\": \"{REFERENCE_ID}\"}}'",
        headers.join(" ")
    );
    if let Some(id) = &summary.transaction {
        anstream::println!(
            "  curl {api}/api/v1/transactions/{id}/ -H 'Authorization: Token {API_KEY}'"
        );
    }
    anstream::println!("  curl {api}/readyz");
    if let Some(sandbox) = stage.sandbox {
        anstream::println!("  curl http://{sandbox}/sandbox/ledger");
    }
    anstream::println!("\nCtrl-C ends everything and leaves nothing behind.");
}
