//! The measured values of a load.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    time::Duration,
};

use fineract_gateway::tls::http_client;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

/// The measurements of a load.
#[derive(Debug, Default)]
pub(crate) struct Report {
    accept_micros: Vec<u32>,
    end_micros: Vec<u32>,
    ids: HashSet<Uuid>,
    followed: bool,
    not_succeeded: usize,
    repeated_ids: usize,
    ledger: Option<LedgerCheck>,
    /// The time from the first request to the last answer.
    pub(crate) took: Duration,
}

/// How often the sandbox's ledger contains the operations that were sent.
#[derive(Debug, Default)]
struct LedgerCheck {
    once: usize,
    never: usize,
    twice: usize,
}

impl Report {
    pub(super) fn accepted(&mut self, tracking_id: &str, after: Duration) {
        let id = tracking_id
            .split_once('|')
            .and_then(|(_, id)| Uuid::try_parse(id).ok());
        if !id.is_some_and(|id| self.ids.insert(id)) {
            self.repeated_ids += 1;
        }
        self.accept_micros.push(micros(after));
    }

    pub(super) fn ended(&mut self, after: Duration, succeeded: bool) {
        self.followed = true;
        self.not_succeeded += usize::from(!succeeded);
        self.end_micros.push(micros(after));
    }

    pub(super) fn add(&mut self, other: Self) {
        self.accept_micros.extend(other.accept_micros);
        self.end_micros.extend(other.end_micros);
        self.repeated_ids += other.ids.iter().filter(|id| self.ids.contains(id)).count();
        self.ids.extend(other.ids);
        self.followed |= other.followed;
        self.not_succeeded += other.not_succeeded;
        self.repeated_ids += other.repeated_ids;
    }

    /// Counts how often the sandbox's ledger contains each operation.
    pub(super) async fn check_ledger(&mut self, sandbox: &Url) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Entry {
            idempotency_key: Option<String>,
        }
        let url = sandbox.join("/sandbox/ledger")?;
        let entries: Vec<Entry> = http_client().build()?.get(url).send().await?.json().await?;
        let mut effects: HashMap<Uuid, usize> = HashMap::new();
        for key in entries
            .into_iter()
            .filter_map(|entry| entry.idempotency_key)
        {
            if let Some(id) = key
                .rsplit_once('-')
                .and_then(|(id, _)| Uuid::try_parse(id).ok())
            {
                *effects.entry(id).or_default() += 1;
            }
        }
        let mut check = LedgerCheck::default();
        for id in &self.ids {
            match effects.get(id).copied().unwrap_or_default() {
                0 => check.never += 1,
                1 => check.once += 1,
                _ => check.twice += 1,
            }
        }
        self.ledger = Some(check);
        Ok(())
    }

    /// Whether every answer was as expected. If the ledger was checked, it must be as expected too.
    pub(crate) fn is_as_expected(&self) -> bool {
        let lost = self.followed && self.end_micros.len() != self.accept_micros.len();
        let ledger = self
            .ledger
            .as_ref()
            .is_none_or(|check| check.twice == 0 && (!self.followed || check.never == 0));
        self.repeated_ids == 0 && self.not_succeeded == 0 && !lost && ledger
    }

    /// Operations per second. Ended operations count if the load waited for the ends. Otherwise accepted operations
    /// count.
    pub(crate) fn per_second(&self) -> u64 {
        let count = if self.followed {
            self.end_micros.len()
        } else {
            self.accept_micros.len()
        };
        let millis = self.took.as_millis().max(1);
        u64::try_from(count as u128 * 1000 / millis).unwrap_or(u64::MAX)
    }

    /// The number of accepted operations.
    pub(crate) fn count(&self) -> usize {
        self.accept_micros.len()
    }

    /// A quantile of the time until acceptance, in microseconds. `per_mille` is in thousandths: 500 is the median.
    pub(crate) fn accept_micros(&self, per_mille: usize) -> u32 {
        quantile(&self.accept_micros, per_mille)
    }

    /// A quantile of the time from submission to end, in microseconds. `per_mille` is in thousandths: 500 is the
    /// median.
    pub(crate) fn end_micros(&self, per_mille: usize) -> u32 {
        quantile(&self.end_micros, per_mille)
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{} operations in {:.1?}: {}/s\naccept            {}",
            self.count(),
            self.took,
            self.per_second(),
            line(&self.accept_micros),
        );
        let mut add = |line: String| {
            text.push('\n');
            text.push_str(&line);
        };
        if self.followed {
            add(format!("submit → ended    {}", line(&self.end_micros)));
            add(format!("not a success     {}", self.not_succeeded));
        }
        if let Some(LedgerCheck { once, never, twice }) = &self.ledger {
            add(format!(
                "in the ledger     once {once}, never {never}, twice {twice}"
            ));
        }
        if self.repeated_ids > 0 {
            add(format!("repeated ids      {}", self.repeated_ids));
        }
        text
    }

    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        let quantiles = |values: &[u32]| {
            json!({ "p50": quantile(values, 500), "p90": quantile(values, 900),
                    "p99": quantile(values, 990), "p999": quantile(values, 999) })
        };
        serde_json::to_string(&json!({
            "operations": self.count(),
            "seconds": self.took.as_secs_f64(),
            "per_second": self.per_second(),
            "accept_micros": quantiles(&self.accept_micros),
            "submit_to_ended_micros": self.followed.then(|| quantiles(&self.end_micros)),
            "not_succeeded": self.not_succeeded,
            "as_expected": self.is_as_expected(),
        }))
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

fn quantile(values: &[u32], per_mille: usize) -> u32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * per_mille / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

fn line(values: &[u32]) -> String {
    let mut text = String::new();
    for (name, per_mille) in [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999)] {
        let micros = quantile(values, per_mille);
        if write!(text, "{name} {}.{:03} ms  ", micros / 1000, micros % 1000).is_err() {
            break;
        }
    }
    text
}
