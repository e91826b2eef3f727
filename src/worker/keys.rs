//! What this process knows about whether Fineract honours idempotency keys.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{domain::FineractCommand, fineract::Process, operations::Entry};

/// How long a verdict is valid for the same process of Fineract.
pub(super) const VERDICT_VALID_FOR: Duration = Duration::from_hours(24);
/// How long the gateway waits after an inconclusive probe before it probes again.
pub(super) const UNPROVEN_VALID_FOR: Duration = Duration::from_secs(30);

/// The verdicts that this process has cached. While a verdict is valid, no probe runs for its kind of command.
#[derive(Debug, Default)]
pub(super) struct Keys {
    state: Mutex<State>,
    /// Locked by the operation that verifies keys.
    pub(super) verifying: tokio::sync::Mutex<()>,
}

impl Keys {
    /// The cached verdict for a kind of command. It is used only if the gateway has read which process of Fineract
    /// answers, and if this reading is newer than `process_read_since` and newer than the last failed call. If
    /// processes cannot be told apart, the verdict itself must also be newer than the last failed call.
    pub(super) fn current_trust(
        &self,
        kind: FineractCommand,
        process_read_since: Option<Instant>,
        last_failure: Option<Instant>,
    ) -> Option<Trust> {
        let state = self.lock();
        if state.process_read_at < process_read_since.max(last_failure)
            || state.process_read_at.is_none()
        {
            return None;
        }
        let start = state.process.as_ref().map(|process| process.start.clone());
        let is_known = start.is_some();
        let known_trust = state.by_kind.get(&(kind, start))?;
        let is_in_force = known_trust.until > Instant::now()
            && (is_known || last_failure.is_none_or(|failure| known_trust.since > failure));
        is_in_force.then(|| known_trust.trust.aged_by(known_trust.since.elapsed()))
    }

    /// Whether the gateway has read, at or after `since`, which process of Fineract answers.
    pub(super) fn has_read_process_since(&self, since: Instant) -> bool {
        self.lock().process_read_at >= Some(since)
    }

    /// The process that was read last, with its current uptime.
    pub(super) fn process(&self) -> Option<Process> {
        let state = self.lock();
        let (process, process_read_at) = state.process.clone().zip(state.process_read_at)?;
        Some(Process {
            up_for: process.up_for + process_read_at.elapsed(),
            ..process
        })
    }

    /// Notes which process of Fineract answered.
    pub(super) fn note_process(&self, process: Option<Process>, process_read_at: Instant) {
        let mut state = self.lock();
        state.process = process;
        state.process_read_at = Some(process_read_at);
    }

    /// Notes the trust in the keys of a kind of command. The trust is valid for `valid_for` while the same process of
    /// Fineract answers.
    pub(super) fn note_trust(&self, kind: FineractCommand, trust: Trust, valid_for: Duration) {
        let mut state = self.lock();
        let now = Instant::now();
        state
            .by_kind
            .retain(|_, known_trust| known_trust.until > now);
        let start = state.process.as_ref().map(|process| process.start.clone());
        let known_trust = KnownTrust {
            trust,
            since: now,
            until: now + valid_for,
        };
        state.by_kind.insert((kind, start), known_trust);
    }

    pub(super) fn note_blocked(&self, kind: FineractCommand) -> bool {
        let mut state = self.lock();
        state.by_kind.retain(|(other, _), _| *other != kind);
        state.blocked.insert(kind)
    }

    pub(super) fn note_unblocked(&self, kind: FineractCommand) -> bool {
        self.lock().blocked.remove(&kind)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a command can rely on its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Fineract has honoured keys for this time.
    Honoured(Duration),
    /// No verdict could be found.
    Unproven,
}

impl Trust {
    /// For how long Fineract had honoured keys at the time `at`, or `None` if this is unknown. `at` is the time of
    /// the claim, because the ages of attempts are counted up to the claim.
    pub(super) fn honoured_at(self, at: Instant) -> Option<Duration> {
        match self {
            Self::Honoured(time) => Some(time.saturating_sub(at.elapsed())),
            Self::Unproven => None,
        }
    }

    fn aged_by(self, time: Duration) -> Self {
        match self {
            Self::Honoured(so_far) => Self::Honoured(so_far + time),
            Self::Unproven => Self::Unproven,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    process: Option<Process>,
    process_read_at: Option<Instant>,
    by_kind: HashMap<(FineractCommand, Option<String>), KnownTrust>,
    blocked: HashSet<FineractCommand>,
}

#[derive(Clone, Copy, Debug)]
struct KnownTrust {
    trust: Trust,
    since: Instant,
    until: Instant,
}

/// The kind of command whose key probe counts for the commands of an operation type.
pub(super) fn kind(entry: &Entry) -> FineractCommand {
    FineractCommand::of(entry.operation_type).probed_as()
}
