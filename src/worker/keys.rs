//! What this process knows of whether Fineract honours idempotency keys.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{domain::FineractCommand, fineract::Process, operations::Entry};

/// How long a verdict is good for, while Fineract's process is the same.
pub(super) const GOOD_FOR: Duration = Duration::from_hours(24);
/// How soon is looked again for something that could tell.
pub(super) const LOOKED_FOR_AGAIN: Duration = Duration::from_secs(30);
/// What a command may rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Keys are honoured, and have been for so long.
    Honoured(Duration),
    /// Nothing tells.
    Unproven,
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

    pub(super) fn note_blocked(&self, kind: FineractCommand) -> bool {
        let mut known = self.lock();
        known.standings.retain(|(of, _), _| *of != kind);
        known.blocked.insert(kind)
    }

    pub(super) fn note_open(&self, kind: FineractCommand) -> bool {
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

/// The kind by whose verdict a type's commands go.
pub(super) fn kind(entry: &Entry) -> FineractCommand {
    FineractCommand::of(entry.operation_type).probed_as()
}
