//! Faults on demand. `POST /sandbox/faults` adds faults. Each fault contains conditions for the requests that it hits.

mod kind;

use std::time::{Duration, Instant};

use axum::http::Method;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

pub(super) use self::kind::{Effect, Kind};
use self::kind::{MET_LATER, NAMES};
use super::json::{Json, Object};

/// The end of the idempotency key of a key probe.
const PROBE: &str = "-probe";

/// The parts of a request that decide whether a fault hits the request.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) command: Option<&'a str>,
    pub(super) key: Option<&'a str>,
}

/// A fault, and the conditions for the requests that it hits.
#[derive(Debug)]
struct Fault {
    kind: Kind,
    json: Object,
    method: Option<String>,
    path: Option<String>,
    command: Option<String>,
    /// The end of the idempotency key.
    key: Option<String>,
    /// Whether key probes are exempt from the fault. They are exempt if the fault has conditions (`match`), but no
    /// condition for the key.
    spares_probes: bool,
    /// How many more requests the fault can hit. `None` means without limit: the entry contains `probability` but not
    /// `times`.
    left: Option<u64>,
    /// The probability that the fault hits a matching request, in millionths.
    chance: u64,
    delay: Duration,
    /// After a hit, reads of the requested object fail for this time.
    hides: Duration,
    hits: i64,
}

impl Fault {
    /// Reads one entry of `POST /sandbox/faults`. The error says what is wrong with the entry.
    fn read(json: &Object) -> Result<Self, String> {
        let known = [
            "match",
            "fault",
            "times",
            "probability",
            "delay_ms",
            "hides_ms",
            "effect",
        ];
        if let Some((key, _)) = json.iter().find(|(key, _)| !known.contains(key)) {
            return Err(format!("unknown key {key}; known: {}", known.join(", ")));
        }
        let name = json
            .get("fault")
            .and_then(Json::as_text)
            .ok_or("a fault needs a name in \"fault\"")?;
        let kind = NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| *kind);
        let kind = kind.ok_or_else(|| {
            format!(
                "unknown fault {name}; known: {}",
                NAMES.map(|(known, _)| known).join(", ")
            )
        })?;
        let effect = json.get("effect").is_some_and(Json::is_true);
        let kind = if kind == (Kind::Stuck { effect: false }) {
            Kind::Stuck { effect }
        } else if kind == Kind::Status500(Effect::Never) && effect {
            Kind::Status500(Effect::Before)
        } else {
            kind
        };
        let matched = json.get("match").and_then(Json::as_object);
        let wanted = |key: &str| {
            matched
                .and_then(|matched| matched.get(key))
                .and_then(Json::as_text)
                .map(str::to_owned)
        };
        let count = |key: &str| {
            json.get(key)
                .and_then(Json::as_integer)
                .and_then(|count| u64::try_from(count).ok())
        };
        let millis = |key: &str| Duration::from_millis(count(key).unwrap_or(0));
        let probability = json.get("probability").and_then(Json::as_decimal);
        let share = probability.unwrap_or(Decimal::ONE);
        let chance = (share * Decimal::from(1_000_000))
            .to_u64()
            .filter(|_| share <= Decimal::ONE);
        Ok(Self {
            kind,
            json: json.clone(),
            method: wanted("method"),
            path: wanted("path"),
            command: wanted("command"),
            key: wanted("key"),
            spares_probes: matched.is_some() && wanted("key").is_none(),
            left: match (count("times"), probability) {
                (None, Some(_)) => None,
                (times, _) => Some(times.unwrap_or(1)),
            },
            chance: chance.ok_or("a probability must be between 0 and 1")?,
            delay: millis("delay_ms"),
            hides: millis("hides_ms"),
            hits: 0,
        })
    }

    fn is_for(&self, asked: &Asked<'_>) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        let is_probe = asked.key.is_some_and(|key| key.ends_with(PROBE));
        self.left != Some(0)
            && !(is_probe && self.spares_probes)
            && !(self.kind.hits_commands_only() && asked.method == Method::GET)
            && is(&self.method, asked.method.as_str())
            && is(&self.command, asked.command.unwrap_or_default())
            && self
                .path
                .as_ref()
                .is_none_or(|path| has_part(asked.path, path))
            && self
                .key
                .as_ref()
                .is_none_or(|end| asked.key.is_some_and(|key| key.ends_with(end.as_str())))
    }
}

/// The faults, in the order in which they were added. The first fault that matches a request hits the request.
#[derive(Debug)]
pub(super) struct Faults {
    list: Vec<Fault>,
    /// Paths that cannot be read, each with the time until which reads fail.
    hidden: Vec<(String, Instant)>,
    /// The state of the pseudo-random sequence.
    dice: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            hidden: Vec::new(),
            dice: 0x9E37_79B9_7F4A_7C15,
        }
    }
}

impl Faults {
    /// Adds all entries of a JSON array. Adds none of them if one is wrong.
    pub(super) fn add(&mut self, json: &Json) -> Result<(), String> {
        let entries = json.as_list().ok_or("a JSON array of faults is required")?;
        let read =
            |entry: &Json| Fault::read(entry.as_object().ok_or("a fault must be a JSON object")?);
        let faults: Vec<Fault> = entries.iter().map(read).collect::<Result<_, String>>()?;
        self.list.extend(faults);
        Ok(())
    }

    /// The kind and the delay of the fault that hits this request, or `None`. Counts the hit.
    pub(super) fn hit(&mut self, asked: &Asked<'_>) -> Option<(Kind, Duration)> {
        let now = Instant::now();
        let is_hidden =
            |(path, until): &(String, Instant)| now < *until && has_part(asked.path, path);
        if asked.method == Method::GET && self.hidden.iter().any(is_hidden) {
            return Some((Kind::Status502After, Duration::ZERO));
        }
        let dice = &mut self.dice;
        let fault = self
            .list
            .iter_mut()
            .find(|fault| fault.is_for(asked) && roll(dice) < fault.chance)?;
        fault.left = fault.left.map(|left| left.saturating_sub(1));
        if !fault.hides.is_zero() {
            let path = asked.path.trim_end_matches("/transactions").to_owned();
            self.hidden.push((path, now + fault.hides));
        }
        // A hit of `status_500_late` is counted only when a command under another key finds the late effect
        // (`count_met`).
        fault.hits += i64::from(fault.kind != MET_LATER);
        Some((fault.kind, fault.delay))
    }

    /// Counts a hit of the fault `status_500_late`, because a command under another key has found a late effect.
    pub(super) fn count_met(&mut self) {
        if let Some(fault) = self.list.iter_mut().find(|fault| fault.kind == MET_LATER) {
            fault.hits += 1;
        }
    }

    /// The faults as they were added, each with its number of hits.
    pub(super) fn json(&self) -> Json {
        let with_hits = |fault: &Fault| fault.json.clone().with("hits", fault.hits);
        self.list
            .iter()
            .map(with_hits)
            .collect::<Vec<Object>>()
            .into()
    }
}

/// Whether a path has a part that ends where a name or a number in the path ends: `/loans/1` is no part of `/loans/14`.
fn has_part(path: &str, part: &str) -> bool {
    path.split(part)
        .skip(1)
        .any(|rest| part.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

/// The next number below 1,000,000 of a pseudo-random sequence (xorshift). The sequence is always the same, so a run
/// can be repeated.
fn roll(dice: &mut u64) -> u64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    *dice % 1_000_000
}
