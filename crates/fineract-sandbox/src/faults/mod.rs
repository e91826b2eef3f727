//! Faults on demand: `POST /sandbox/faults` says which requests go wrong, and how.

mod kind;

use std::time::{Duration, Instant};

use axum::http::Method;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

pub(super) use self::kind::{Effect, Kind};
use self::kind::{MET_LATER, NAMES};
use super::json::{Json, Object};

/// How keys end that are no operation's: their commands only ask whether keys are honoured.
const PROBE: &str = "-probe";

/// What a fault looks for in a request.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) command: Option<&'a str>,
    pub(super) key: Option<&'a str>,
}

/// A fault and the requests it is for.
#[derive(Debug)]
struct Fault {
    kind: Kind,
    json: Object,
    method: Option<String>,
    path: Option<String>,
    command: Option<String>,
    /// How its Idempotency-Key ends.
    key: Option<String>,
    /// Whether it leaves alone what only asks whether keys are honoured: it looks for something, and for no key.
    spares_probes: bool,
    /// How often it still strikes; without end where a probability is given.
    left: Option<u64>,
    /// Of 1,000,000.
    chance: u64,
    delay: Duration,
    /// For how long what the request is about cannot be read from then on.
    hides: Duration,
    hits: i64,
}

impl Fault {
    /// Reads an entry; the error says what is wrong with it.
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
            return Err(format!("unknown key {key}; known are {}", known.join(", ")));
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
                "unknown fault {name}; known are {}",
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
        let chance = probability.map_or(Some(1_000_000), |share| {
            (share * Decimal::from(1_000_000)).to_u64()
        });
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
            chance: chance.ok_or("probability is a number from 0 to 1")?,
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
            && !(self.kind.is_of_writes() && asked.method == Method::GET)
            && is(&self.method, asked.method.as_str())
            && is(&self.command, asked.command.unwrap_or_default())
            && self
                .path
                .as_ref()
                .is_none_or(|path| asked.path.contains(path.as_str()))
            && self
                .key
                .as_ref()
                .is_none_or(|end| asked.key.is_some_and(|key| key.ends_with(end.as_str())))
    }
}

/// The faults in the order given; the first that fits strikes.
#[derive(Debug)]
pub(super) struct Faults {
    list: Vec<Fault>,
    /// Paths that cannot be read until then.
    hidden: Vec<(String, Instant)>,
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
    /// Adds the entries of a JSON array, all or none.
    pub(super) fn add(&mut self, json: &Json) -> Result<(), String> {
        let entries = json.as_list().ok_or("a JSON array of faults is wanted")?;
        let read = |entry: &Json| Fault::read(entry.as_object().ok_or("a fault is a JSON object")?);
        let faults: Vec<Fault> = entries.iter().map(read).collect::<Result<_, String>>()?;
        self.list.extend(faults);
        Ok(())
    }

    /// The fault that strikes this request, and its delay.
    pub(super) fn strike(&mut self, asked: &Asked<'_>) -> Option<(Kind, Duration)> {
        let now = Instant::now();
        let is_hidden =
            |(path, until): &(String, Instant)| now < *until && asked.path.contains(path);
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
        // What another key is to meet has struck when that has come.
        fault.hits += i64::from(fault.kind != MET_LATER);
        Some((fault.kind, fault.delay))
    }

    /// Another key has met what it did not know to be done.
    pub(super) fn note_met(&mut self) {
        if let Some(fault) = self.list.iter_mut().find(|fault| fault.kind == MET_LATER) {
            fault.hits += 1;
        }
    }

    /// The faults as given, each with how often it struck.
    pub(super) fn json(&self) -> Json {
        let with_hits = |fault: &Fault| fault.json.clone().with("hits", fault.hits);
        self.list
            .iter()
            .map(with_hits)
            .collect::<Vec<Object>>()
            .into()
    }
}

/// The next number below 1,000,000 of a fixed row (xorshift): a run can be repeated.
fn roll(dice: &mut u64) -> u64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    *dice % 1_000_000
}
