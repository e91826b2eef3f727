//! What all attempts of an operation show together.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    audited::Audit,
    key_state::{KeyState, answer, ended_with_effect_unknown, key_state, reply_class},
    reply_class::ReplyClass,
};
use crate::domain::{Answer, Attempt, Request};

/// The tolerance for inexact clocks and for a server that is stopping. An attempt counts as ended by a restart only if
/// it was sent at least this long before the new process started. Fineract was observed to end 38 s after the signal
/// to stop (`docs/fineract/outages.md`, "Starting and stopping").
const RESTART_MARGIN: Duration = Duration::from_mins(1);

/// Fineract may purge a key this much earlier than configured, because it counts calendar days in its own time zone.
const PURGE_MARGIN: Duration = Duration::from_hours(24);

/// All attempts of an operation in their order, and what else the gateway knows about their commands and keys. When
/// the gateway decides about an answer, the last attempt is the one that was just answered.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    pub(super) attempts: &'a [Attempt],
    watched: Option<Duration>,
    uptime: Option<Duration>,
    audit: Option<Audit>,
    honoured_for: Option<Duration>,
}

impl<'a> History<'a> {
    /// The history of these attempts. Everything else is unknown.
    pub fn new(attempts: &'a [Attempt]) -> Self {
        Self {
            attempts,
            watched: None,
            uptime: None,
            audit: None,
            honoured_for: None,
        }
    }

    /// Sets the time for which this process has observed, by its monotonic clock, that the key has not ended. `None`
    /// if another process of the gateway has observed this; then only the database's clock counts.
    #[must_use]
    pub fn watched_for(self, watched: Option<Duration>) -> Self {
        Self { watched, ..self }
    }

    /// Sets the time since Fineract's only process started, if it is known. Commands that were sent before this start
    /// no longer run.
    #[must_use]
    pub fn up_for(self, uptime: Option<Duration>) -> Self {
        Self { uptime, ..self }
    }

    /// Sets the time for which Fineract has honoured keys, if it is known. Commands that were sent earlier may not be
    /// stored under their keys.
    #[must_use]
    pub fn honoured_for(mut self, honoured_for: Option<Duration>) -> Self {
        self.honoured_for = honoured_for;
        self
    }

    /// Sets what Fineract's audit showed of the waiting command before the last attempt; `None` if no command waits.
    #[must_use]
    pub fn seen_in_audit(self, audit: Option<Audit>) -> Self {
        Self { audit, ..self }
    }

    pub(super) fn seen_audit(&self) -> Option<Audit> {
        self.audit
    }

    pub(super) fn current(&self) -> Option<&'a Attempt> {
        self.attempts.last()
    }

    pub(super) fn key_number(&self) -> i32 {
        self.current().map_or(1, |attempt| attempt.key_number)
    }

    pub(super) fn of_key(&self, key_number: i32) -> impl Iterator<Item = &'a Attempt> + use<'a> {
        self.attempts
            .iter()
            .filter(move |attempt| attempt.key_number == key_number)
    }

    /// The request of the last attempt.
    pub fn request(&self) -> Option<&'a Request> {
        self.current().map(|attempt| &attempt.request)
    }

    /// The success that answered one of the attempts, even if the worker had lost its claim when this success arrived.
    pub fn success(&self) -> Option<&'a Answer> {
        self.attempts
            .iter()
            .rev()
            .find(|attempt| reply_class(attempt) == ReplyClass::Done)
            .and_then(answer)
    }

    /// Whether the effect already existed before any attempt reached Fineract.
    pub fn effect_preexisted(&self) -> bool {
        let first = self
            .attempts
            .iter()
            .find(|attempt| key_state(attempt) != KeyState::Unchanged);
        first
            .or(self.attempts.last())
            .is_some_and(|attempt| attempt.effect_preexisted)
    }

    fn still_running_attempts(&self, key: i32) -> impl Iterator<Item = &'a Attempt> + use<'a> {
        self.of_key(key)
            .filter(|attempt| key_state(attempt) == KeyState::Running)
    }

    /// Whether the last answer says that the key has not ended yet.
    pub fn is_still_running(&self) -> bool {
        self.current()
            .is_some_and(|attempt| key_state(attempt) == KeyState::Running)
    }

    /// The number of answers that say that the current key has not ended yet.
    pub fn still_running_answers(&self) -> usize {
        self.still_running_attempts(self.key_number()).count()
    }

    /// The time since the last answer that says that the current key has not ended yet.
    pub fn since_still_running_answer(&self) -> Duration {
        let answers = self.still_running_attempts(self.key_number());
        answers.map(|sent| sent.age).min().unwrap_or_default()
    }

    /// The time since the first answer that says that the current key has not ended yet. The time before that answer
    /// does not count, because an attempt may have been executed late. If this process has also measured the time by
    /// its monotonic clock, the shorter of the two times applies.
    pub fn stuck_for(&self) -> Duration {
        let asked = self
            .still_running_attempts(self.key_number())
            .map(|attempt| attempt.age)
            .max();
        let asked = asked.unwrap_or_default();
        self.watched.map_or(asked, |watched| asked.min(watched))
    }

    /// Whether Fineract has been restarted since it received the attempt.
    fn ended_with_fineract(&self, attempt: &Attempt) -> bool {
        self.uptime.is_some_and(|uptime| {
            uptime >= RESTART_MARGIN && attempt.age >= uptime.saturating_add(RESTART_MARGIN)
        })
    }

    /// Whether a key has an unknown attempt for which `counts` holds, and no later answer showed the end of the key.
    fn is_open(&self, key_number: i32, counts: impl Fn(&Attempt) -> bool) -> bool {
        // An attempt without a reply may still be sent: its process may only be suspended.
        let (mut unknown, mut unsent, mut met_unknown) = (false, false, false);
        for attempt in self.of_key(key_number) {
            match key_state(attempt) {
                KeyState::Unchanged => {}
                KeyState::Unknown => {
                    met_unknown = true;
                    unknown |= counts(attempt);
                    unsent |= attempt.reply.is_none();
                }
                // An earlier attempt holds the key, so no other attempt can start. If all earlier attempts are known to
                // have done nothing, it is unknown which attempt holds the key.
                KeyState::Running => {
                    unknown |= !met_unknown && counts(attempt);
                    (unsent, met_unknown) = (false, true);
                }
                KeyState::Pending => (unknown, met_unknown) = (true, true),
                KeyState::Ended => (unknown, unsent, met_unknown) = (false, false, false),
            }
        }
        unknown || unsent
    }

    /// Whether an attempt under an earlier key may have been executed without a conclusive answer.
    pub fn other_key_unknown(&self) -> bool {
        (1..self.key_number()).any(|key| self.is_open(key, |_| true))
    }

    /// Whether any attempt may have been executed, or may still be running, without a conclusive answer.
    pub fn may_have_run(&self) -> bool {
        self.keys().any(|key| self.may_have_run_under(key))
    }

    /// Whether an attempt under this key may have been executed, or may still be running, without a conclusive answer.
    /// If so, sending the same key again may only return the answer to that attempt.
    pub fn may_have_run_under(&self, key_number: i32) -> bool {
        self.is_open(key_number, |_| true)
    }

    /// Whether Fineract may have received any attempt as a command. If so, no answer, not even a stored failure, proves
    /// that there was no effect: Fineract must be read.
    pub fn may_have_reached_fineract(&self) -> bool {
        self.attempts
            .iter()
            .any(|attempt| key_state(attempt) != KeyState::Unchanged)
    }

    /// The last attempt that Fineract may have received as a command.
    pub fn last_that_reached_fineract(&self) -> Option<&'a Attempt> {
        let reached = |attempt: &&Attempt| key_state(attempt) != KeyState::Unchanged;
        self.attempts.iter().rev().find(reached)
    }

    /// Whether Fineract may have received an attempt under this key as a command.
    pub fn may_have_reached_fineract_under(&self, key_number: i32) -> bool {
        self.of_key(key_number)
            .any(|attempt| key_state(attempt) != KeyState::Unchanged)
    }

    /// Whether an attempt before the last one may have had an effect: it has no conclusive answer, or its answer does
    /// not show the effect. If Fineract answered that something must be set up first, the attempt had no effect, so
    /// this attempt does not count.
    pub fn earlier_effect_unknown(&self) -> bool {
        let earlier = self.attempts.split_last().map_or(&[][..], |(_, rest)| rest);
        self.may_have_run() || earlier.iter().any(ended_with_effect_unknown)
    }

    /// Whether an attempt under another key than the current one may have had an effect.
    pub fn other_key_effect_unknown(&self) -> bool {
        let current = self.key_number();
        self.other_key_unknown()
            || self
                .attempts
                .iter()
                .any(|attempt| attempt.key_number != current && ended_with_effect_unknown(attempt))
    }

    /// Whether Fineract may have no row for this key. There are two possible reasons. The first attempt under the key
    /// is as old as the rows that Fineract's job "Purge Processed Commands" removes (`docs/fineract/idempotency.md`,
    /// "Keys are purged"). Or Fineract may have ignored keys at the time of this first attempt.
    pub fn may_be_forgotten(&self, key_number: i32, kept_for: Duration) -> bool {
        let oldest = self.of_key(key_number).map(|attempt| attempt.age).max();
        oldest.is_some_and(|age| {
            age.saturating_add(PURGE_MARGIN) >= kept_for
                || self.honoured_for.is_some_and(|honoured| age >= honoured)
        })
    }

    /// Whether any attempt may still be running, or take effect late.
    pub fn may_still_run(&self) -> bool {
        self.keys().any(|key| self.may_still_run_under(key))
    }

    pub(super) fn keys(&self) -> RangeInclusive<i32> {
        1..=self.key_number()
    }

    fn may_still_run_under(&self, key: i32) -> bool {
        self.is_open(key, |attempt| !self.ended_with_fineract(attempt))
    }

    /// The commands that Fineract may still execute, each as the first attempt under its key. `true`: Fineract, which
    /// keeps keys for `kept_for`, still has the key, and sending the key again executes nothing new.
    pub fn open_commands(&self, kept_for: Duration) -> Vec<(&'a Attempt, bool)> {
        self.keys()
            .filter(|key| self.may_still_run_under(*key))
            .filter_map(|key| {
                let first = self
                    .of_key(key)
                    .find(|sent| key_state(sent) != KeyState::Unchanged)?;
                let is_kept = self.still_running_attempts(key).next().is_some()
                    && !self.may_be_forgotten(key, kept_for);
                Some((first, is_kept))
            })
            .collect()
    }

    /// Whether Fineract, which keeps keys for `kept_for`, still has the current key.
    pub fn is_kept(&self, kept_for: Duration) -> bool {
        self.still_running_answers() > 0 && !self.may_be_forgotten(self.key_number(), kept_for)
    }

    /// Whether the current key has ended. If so, Fineract always returns the same answer under this key.
    pub fn key_has_ended(&self) -> bool {
        self.current()
            .is_some_and(|attempt| key_state(attempt) == KeyState::Ended)
    }

    /// Whether Fineract executed the last attempt anew although an earlier attempt under the same key may have run. If
    /// so, Fineract no longer had the key, or never had the key.
    pub fn key_was_not_recognised(&self) -> bool {
        let Some((current, earlier)) = self.attempts.split_last() else {
            return false;
        };
        answer(current).is_some_and(|answer| !answer.cached)
            && earlier.iter().any(|attempt| {
                attempt.key_number == current.key_number
                    && match key_state(attempt) {
                        KeyState::Unknown | KeyState::Running | KeyState::Pending => true,
                        KeyState::Unchanged | KeyState::Ended => false,
                    }
            })
    }
}
