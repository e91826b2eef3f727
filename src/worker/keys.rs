//! What is known of whether Fineract honours keys, and what may be sent on it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{backoff, blocked::Part, case::Case, conclude::Conclusion, runner::Runner};
use crate::{
    domain::{
        Answer, Failure, FineractCommand, Method, Reply, Request,
        decision::{self, Decision, History},
    },
    fineract::{Process, ReadFailure},
    operations::Entry,
    store::{Claimed, StoreError},
    telemetry::metrics::count_alarm,
};

/// Why operations of a kind wait: Fineract ignores their keys.
const NOT_HONOURED: &str = "keys_not_honoured";
/// Why one is not sent again: nobody knows whether its key is honoured.
const UNPROVEN: &str = "keys_unproven";
/// How long a verdict is good for, while Fineract's process is the same.
pub(super) const GOOD_FOR: Duration = Duration::from_hours(24);
/// How soon is looked again for something that could tell.
pub(super) const LOOKED_FOR_AGAIN: Duration = Duration::from_secs(30);
/// How long another gateway is waited for that is asking, before jitter.
const ASKED_ELSEWHERE: Duration = Duration::from_millis(400);

/// What a command may rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Keys are honoured, and have been for so long.
    Honoured(Duration),
    /// Nothing tells.
    Unproven,
}

/// Why nothing of a kind may be sent now.
#[derive(Debug)]
pub(super) enum Doubt {
    /// Its keys are not honoured.
    NotHonoured,
    /// Another gateway is asking.
    BeingAsked,
    /// Fineract could not be asked.
    Unread(ReadFailure),
    /// The database could not be asked.
    Database(StoreError),
}

impl From<StoreError> for Doubt {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for Doubt {
    fn from(failure: Failure) -> Self {
        Self::Unread(ReadFailure::NoAnswer(failure))
    }
}

impl Trust {
    /// For how long keys have been honoured, where that is known.
    pub(super) fn honoured_for(self) -> Option<Duration> {
        match self {
            Self::Honoured(time) => Some(time),
            Self::Unproven => None,
        }
    }
}

/// What this process knows: nothing is asked while it holds.
#[derive(Debug, Default)]
pub(super) struct Keys {
    known: Mutex<Known>,
    /// Held by the one that asks.
    pub(super) asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    process: Option<Process>,
    looked_at: Option<Instant>,
    standings: HashMap<(FineractCommand, Option<String>), Standing>,
    blocked: HashSet<FineractCommand>,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    trust: Trust,
    since: Instant,
    until: Instant,
}

impl Keys {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a kind, if Fineract's process has been looked at since then. Where it cannot be told
    /// from another, a failure ends what was known.
    pub(super) fn in_force(
        &self,
        kind: FineractCommand,
        looked_since: Option<Instant>,
        last_failure: Option<Instant>,
    ) -> Option<Trust> {
        let known = self.lock();
        if known.looked_at < looked_since.max(last_failure) || known.looked_at.is_none() {
            return None;
        }
        let start = known.process.as_ref().map(|process| process.start.clone());
        let is_known = start.is_some();
        let standing = known.standings.get(&(kind, start))?;
        let is_in_force = standing.until > Instant::now()
            && (is_known || last_failure.is_none_or(|failure| standing.since > failure));
        is_in_force.then(|| standing.trust.after(standing.since.elapsed()))
    }

    /// Whether Fineract's process has been looked at since then.
    pub(super) fn has_looked(&self, since: Instant) -> bool {
        self.lock().looked_at >= Some(since)
    }

    /// The process that was looked at last, and for how long it has been up by now.
    pub(super) fn process(&self) -> Option<Process> {
        let known = self.lock();
        let (process, looked_at) = known.process.clone().zip(known.looked_at)?;
        Some(Process {
            up_for: process.up_for + looked_at.elapsed(),
            ..process
        })
    }

    /// Notes which process was there.
    pub(super) fn note_process(&self, process: Option<Process>, looked_at: Instant) {
        let mut known = self.lock();
        known.process = process;
        known.looked_at = Some(looked_at);
    }

    /// Notes what a kind may rest on, for so long, while the process that was looked at is there.
    pub(super) fn note(&self, kind: FineractCommand, trust: Trust, good_for: Duration) {
        let mut known = self.lock();
        let now = Instant::now();
        known.standings.retain(|_, standing| standing.until > now);
        let start = known.process.as_ref().map(|process| process.start.clone());
        let standing = Standing {
            trust,
            since: now,
            until: now + good_for,
        };
        known.standings.insert((kind, start), standing);
    }

    fn note_blocked(&self, kind: FineractCommand) -> bool {
        let mut known = self.lock();
        known.standings.retain(|(of, _), _| *of != kind);
        known.blocked.insert(kind)
    }

    fn note_open(&self, kind: FineractCommand) -> bool {
        self.lock().blocked.remove(&kind)
    }
}

impl Trust {
    fn after(self, time: Duration) -> Self {
        match self {
            Self::Honoured(for_so_long) => Self::Honoured(for_so_long + time),
            Self::Unproven => Self::Unproven,
        }
    }
}

impl Runner {
    /// Whether the operation's command may be sent, for all that is known of keys. It asks where that is not
    /// known of Fineract's process; before a command is sent again, it looks whether that is still the same.
    pub(super) async fn require_keys(&self, case: Case<'_>) -> Result<Trust, Conclusion> {
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Sabotage::TrustsKeys) {
            return Ok(Trust::Unproven);
        }
        let claimed = case.claimed;
        let is_resent = was_sent(case);
        match self.trust(kind(case.entry), is_resent).await {
            Ok(Trust::Unproven) if is_resent && !case.entry.command().late_copy_is_harmless() => {
                Err(self.again_or_park(claimed, UNPROVEN, false, None))
            }
            Ok(trust) => Ok(trust),
            Err(Doubt::NotHonoured) => Err(Conclusion::again(claimed, NOT_HONOURED, None)),
            Err(Doubt::BeingAsked) => Err(Conclusion::passed_over(
                UNPROVEN,
                backoff::jitter(ASKED_ELSEWHERE),
            )),
            Err(Doubt::Unread(ReadFailure::Refused(answer))) => {
                Err(self.unasked(claimed, &answer).await)
            }
            Err(Doubt::Unread(failure)) => Err(self.unread(case, failure).await),
            Err(Doubt::Database(error)) => Err(Conclusion::database_away(claimed, &error)),
        }
    }

    /// What becomes of an operation that would be answered as what was to ask about its key: it waits for the
    /// same reason, but is never refused, which only its own answer does.
    async fn unasked(&self, claimed: &Claimed, answer: &Answer) -> Conclusion {
        let reply = Reply::Answer(answer.clone());
        match decision::decide(&reply, &History::new(&[]), self.settings().patience) {
            Decision::Suspect { scope, reason_code } => {
                self.suspect(claimed, scope, reason_code, false).await
            }
            Decision::SameKey {
                reason_code,
                outage,
            } => self.again_or_park(claimed, reason_code, outage, answer.retry_after),
            Decision::Succeeded
            | Decision::Refused
            | Decision::Read(_)
            | Decision::AwaitChecker
            | Decision::Rejected
            | Decision::Park { .. } => Conclusion::again(claimed, UNPROVEN, answer.retry_after),
        }
    }

    /// What a kind's commands may rest on: what is known, else what asking tells; `anew`: of the process that is
    /// there now.
    pub(super) async fn trust(&self, kind: FineractCommand, anew: bool) -> Result<Trust, Doubt> {
        let now = Instant::now();
        let looked_since = anew.then_some(now);
        let last_failure = self.fineract.last_failure();
        if let Some(trust) = self.keys.in_force(kind, looked_since, last_failure) {
            return Ok(trust);
        }
        let asked = self.ask_about_keys(kind, now).await;
        match &asked {
            Ok(_) => self.open(kind),
            Err(Doubt::NotHonoured) => self.block(kind),
            Err(Doubt::BeingAsked | Doubt::Unread(_) | Doubt::Database(_)) => {}
        }
        asked
    }

    /// Whether the answer that an operation has just got may be used to learn of its kind's keys, of which
    /// nothing is known; a delete's may not: sent again, it finds nothing.
    pub(super) fn is_to_learn(&self, case: Case<'_>) -> bool {
        let is_delete = |request: &Request| request.method == Method::Delete;
        !case.history().request().is_none_or(is_delete)
            && self
                .keys
                .in_force(kind(case.entry), None, self.fineract.last_failure())
                == Some(Trust::Unproven)
    }

    /// Has operations wait whose keys are ignored, and raises the alarm.
    pub(super) fn block(&self, kind: FineractCommand) {
        if self.keys.note_blocked(kind) {
            count_alarm(NOT_HONOURED);
            tracing::error!(
                alarm = NOT_HONOURED,
                command = kind.probe_name(),
                "Fineract ignores the keys of a kind of command: sent again, it would be carried out again"
            );
            gauge(kind).set(1);
        }
        for operation_type in kind.types_probed() {
            self.blocked.block(Part::Type(operation_type), NOT_HONOURED);
        }
    }

    /// Lets them go on.
    pub(super) fn open(&self, kind: FineractCommand) {
        if self.keys.note_open(kind) {
            tracing::info!(command = kind.probe_name(), "Fineract honours keys again");
            gauge(kind).set(0);
            for operation_type in kind.types_probed() {
                self.blocked.open(&Part::Type(operation_type));
            }
        }
    }
}

/// The kind by whose verdict a type's commands go.
pub(super) fn kind(entry: &Entry) -> FineractCommand {
    FineractCommand::of(entry.operation_type).probed_as()
}

/// Whether Fineract may have seen the key that is to be sent.
fn was_sent(case: Case<'_>) -> bool {
    case.history()
        .reached_fineract_under(case.claimed.key_number)
}

fn gauge(kind: FineractCommand) -> metrics::Gauge {
    metrics::gauge!("gateway_keys_not_honoured", "command" => kind.probe_name())
}
