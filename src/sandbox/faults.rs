//! Faults on demand: `POST /sandbox/faults` says which requests go wrong, and how.

use std::time::{Duration, Instant};

use axum::http::Method;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::json::{Json, Object};

/// When a command that breaks takes effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effect {
    Never,
    /// Before it breaks.
    Before,
    /// When another key asks for the same, which meets what is done already.
    BeforeNextKey,
}

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// The connection dies before anything happens.
    ResetBefore,
    /// The connection dies after the commit, unanswered.
    ResetAfter,
    /// The answer is late.
    Slow,
    /// An exception: stored, replayed in another shape.
    Status500(Effect),
    /// A proxy's page in place of the answer.
    Status502After,
    /// Half an answer.
    TruncatedAfter,
    /// An answer that is no JSON.
    GarbageAfter,
    /// The command's row stays "running": 425 for ever, with or without the effect.
    Stuck {
        effect: bool,
    },
    /// Fineract's own retries used up: 409, stored.
    Conflict409,
    /// The nightly job holds the loan: 409, not stored.
    LoanLocked,
    /// A job forbids writes: 503, not stored.
    Scheduler503,
    Redirect,
    Unauthorized,
    Forbidden,
    /// The command waits for a checker.
    MakerChecker,
    /// The connection dies, the row stands, and the effect commits after the delay.
    LateEffect,
    /// The same, and until then the row shows the conflict that Fineract itself tries again after: a cached 409.
    ConflictPasses,
    /// The request is processed twice; the second answer is given.
    DeliveredTwice,
}

const MET_LATER: Kind = Kind::Status500(Effect::BeforeNextKey);

const NAMES: [(&str, Kind); 19] = [
    ("reset_before", Kind::ResetBefore),
    ("reset_after", Kind::ResetAfter),
    ("slow", Kind::Slow),
    ("status_500", Kind::Status500(Effect::Never)),
    ("status_500_late", Kind::Status500(Effect::BeforeNextKey)),
    ("status_502_after", Kind::Status502After),
    ("truncated_after", Kind::TruncatedAfter),
    ("garbage_after", Kind::GarbageAfter),
    ("stuck", Kind::Stuck { effect: false }),
    ("conflict_409", Kind::Conflict409),
    ("loan_locked", Kind::LoanLocked),
    ("scheduler_503", Kind::Scheduler503),
    ("redirect", Kind::Redirect),
    ("unauthorized", Kind::Unauthorized),
    ("forbidden", Kind::Forbidden),
    ("maker_checker", Kind::MakerChecker),
    ("late_effect", Kind::LateEffect),
    ("conflict_passes", Kind::ConflictPasses),
    ("delivered_twice", Kind::DeliveredTwice),
];

impl Kind {
    fn is_of_writes(self) -> bool {
        match self {
            Self::Stuck { .. }
            | Self::Conflict409
            | Self::LoanLocked
            | Self::Scheduler503
            | Self::MakerChecker
            | Self::LateEffect
            | Self::ConflictPasses
            | Self::DeliveredTwice => true,
            Self::ResetBefore
            | Self::ResetAfter
            | Self::Slow
            | Self::Status500(_)
            | Self::Status502After
            | Self::TruncatedAfter
            | Self::GarbageAfter
            | Self::Redirect
            | Self::Unauthorized
            | Self::Forbidden => false,
        }
    }
}

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
    /// How often it still strikes; without end where a probability is given.
    left: Option<u64>,
    /// Of 1,000,000.
    chance: u64,
    delay: Duration,
    /// It strikes until then.
    until: Option<Instant>,
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
            "lasts_ms",
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
            left: match (count("times"), probability) {
                (None, Some(_)) => None,
                (times, _) => Some(times.unwrap_or(1)),
            },
            chance: chance.ok_or("probability is a number from 0 to 1")?,
            delay: Duration::from_millis(count("delay_ms").unwrap_or(0)),
            until: count("lasts_ms")
                .and_then(|lasts| Instant::now().checked_add(Duration::from_millis(lasts))),
            hits: 0,
        })
    }

    fn is_for(&self, asked: &Asked<'_>) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        self.left != Some(0)
            && self.until.is_none_or(|until| Instant::now() < until)
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
    dice: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            list: Vec::new(),
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
        let dice = &mut self.dice;
        let fault = self
            .list
            .iter_mut()
            .find(|fault| fault.is_for(asked) && roll(dice) < fault.chance)?;
        fault.left = fault.left.map(|left| left.saturating_sub(1));
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
