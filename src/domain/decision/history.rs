//! What an operation's attempts say together.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    audited::Audit,
    reply_class::ReplyClass,
    trace::{Trace, answer, class, ended_unread, trace},
};
use crate::domain::{Answer, Attempt, Request};

/// How far clocks and a dying server may be off: so much longer than a restarted Fineract has been up,
/// an attempt must be ago before it counts as ended with the old one. A stopping Fineract is gone 38 s
/// after it was told to (`docs/fineract/outages.md`, "Starting and stopping").
const RESTART_MARGIN: Duration = Duration::from_mins(1);

/// How much sooner than its setting says Fineract may forget a key: its purge counts calendar days in a
/// time zone of its own.
const PURGE_MARGIN: Duration = Duration::from_hours(24);

/// All attempts of an operation, the first one first, the one that was just answered last; and what
/// else is known of the time since.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    pub(super) attempts: &'a [Attempt],
    watched: Option<Duration>,
    uptime: Option<Duration>,
    audit: Option<Audit>,
    honoured_for: Option<Duration>,
}

impl<'a> History<'a> {
    /// The history that these attempts make.
    pub fn new(attempts: &'a [Attempt]) -> Self {
        Self {
            attempts,
            watched: None,
            uptime: None,
            audit: None,
            honoured_for: None,
        }
    }

    /// How long the process has known that the key is not ended, by its monotonic clock: `None` where
    /// it was told by another, and only the database's clock can say.
    #[must_use]
    pub fn watched_for(self, watched: Option<Duration>) -> Self {
        Self { watched, ..self }
    }

    /// How long Fineract's one process has been up, where that is known: what was sent before it began
    /// runs no more.
    #[must_use]
    pub fn up_for(self, uptime: Option<Duration>) -> Self {
        Self { uptime, ..self }
    }

    /// For how long Fineract has honoured keys, where that is known: what was sent before may not be stored
    /// under its key.
    #[must_use]
    pub fn honoured_for(mut self, honoured_for: Option<Duration>) -> Self {
        self.honoured_for = honoured_for;
        self
    }

    /// What Fineract showed, before the last attempt, of the command that waits for a checker; `None` where
    /// none did.
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

    /// The success that an attempt was answered with, be it one that had lost its claim by then.
    pub fn success(&self) -> Option<&'a Answer> {
        self.attempts
            .iter()
            .rev()
            .find(|attempt| class(attempt) == ReplyClass::Done)
            .and_then(answer)
    }

    /// Whether Fineract looked, before anything reached it, as if it had been done already.
    pub fn effect_preexisted(&self) -> bool {
        let first = self
            .attempts
            .iter()
            .find(|attempt| trace(attempt) != Trace::Nothing);
        first
            .or(self.attempts.last())
            .is_some_and(|attempt| attempt.effect_preexisted)
    }

    fn not_ended_answers(&self, key: i32) -> impl Iterator<Item = &'a Attempt> + use<'a> {
        self.of_key(key)
            .filter(|attempt| trace(attempt) == Trace::Running)
    }

    /// Whether the last answer is that the key has not ended yet.
    pub fn is_asking(&self) -> bool {
        self.current()
            .is_some_and(|attempt| trace(attempt) == Trace::Running)
    }

    /// How often the current key was answered "not ended yet".
    pub fn askings(&self) -> usize {
        self.not_ended_answers(self.key_number()).count()
    }

    /// How long ago the current key was last answered "not ended yet".
    pub fn seen_in_books(&self) -> Duration {
        let answers = self.not_ended_answers(self.key_number());
        answers.map(|sent| sent.age).min().unwrap_or_default()
    }

    /// For how long the current key has been answered "not ended yet": from the first such answer, since
    /// an attempt before it may have been run late, by both clocks that know of it.
    pub fn stuck_for(&self) -> Duration {
        let asked = self
            .not_ended_answers(self.key_number())
            .map(|attempt| attempt.age)
            .max();
        let asked = asked.unwrap_or_default();
        self.watched.map_or(asked, |watched| asked.min(watched))
    }

    /// Whether an attempt was sent to a Fineract that has been restarted since.
    fn ended_with_fineract(&self, attempt: &Attempt) -> bool {
        self.uptime.is_some_and(|uptime| {
            uptime >= RESTART_MARGIN && attempt.age >= uptime.saturating_add(RESTART_MARGIN)
        })
    }

    /// Whether, of a key, an attempt is unknown that `counts`, and no later answer has told its end.
    fn is_open(&self, key_number: i32, counts: impl Fn(&Attempt) -> bool) -> bool {
        // An attempt without any reply may be sent yet, by a process that only slept.
        let (mut unknown, mut unsent, mut met_unknown) = (false, false, false);
        for attempt in self.of_key(key_number) {
            match trace(attempt) {
                Trace::Nothing => {}
                Trace::Unknown => {
                    met_unknown = true;
                    unknown |= counts(attempt);
                    unsent |= attempt.reply.is_none();
                }
                // One of those before it holds the key, so none begins any more. Where all of them are
                // known to have done nothing, nobody knows who.
                Trace::Running => {
                    unknown |= !met_unknown && counts(attempt);
                    (unsent, met_unknown) = (false, true);
                }
                Trace::Pending => (unknown, met_unknown) = (true, true),
                Trace::Ended => (unknown, unsent, met_unknown) = (false, false, false),
            }
        }
        unknown || unsent
    }

    /// Whether an attempt under an earlier key may have run without our knowing.
    pub fn other_key_unknown(&self) -> bool {
        (1..self.key_number()).any(|key| self.is_open(key, |_| true))
    }

    /// Whether any attempt may have run, or run still, without our knowing.
    pub fn may_have_run(&self) -> bool {
        self.keys().any(|key| self.may_have_run_under(key))
    }

    /// Whether an attempt under this key may have run, or run still, without our knowing: to send the
    /// command again under the same key may then start nothing new.
    pub fn may_have_run_under(&self, key_number: i32) -> bool {
        self.is_open(key_number, |_| true)
    }

    /// Whether Fineract may have looked at any attempt as a command: what it answered, a stored failure
    /// too, then says nothing of the effect until Fineract has been read.
    pub fn reached_fineract(&self) -> bool {
        self.attempts
            .iter()
            .any(|attempt| trace(attempt) != Trace::Nothing)
    }

    /// The last attempt that Fineract may have looked at as a command.
    pub fn last_reached(&self) -> Option<&'a Attempt> {
        let reached = |attempt: &&Attempt| trace(attempt) != Trace::Nothing;
        self.attempts.iter().rev().find(reached)
    }

    /// The same of the attempts under this key.
    pub fn reached_fineract_under(&self, key_number: i32) -> bool {
        self.of_key(key_number)
            .any(|attempt| trace(attempt) != Trace::Nothing)
    }

    /// The same of the attempts before the one that was just answered, leaving out those that were
    /// answered that something has to be set up first, which is class without an effect.
    pub fn left_unread(&self) -> bool {
        let earlier = self.attempts.split_last().map_or(&[][..], |(_, rest)| rest);
        self.may_have_run() || earlier.iter().any(ended_unread)
    }

    /// The same of the attempts under other keys than the current one.
    pub fn other_key_left_unread(&self) -> bool {
        let current = self.key_number();
        self.other_key_unknown()
            || self
                .attempts
                .iter()
                .any(|attempt| attempt.key_number != current && ended_unread(attempt))
    }

    /// Whether Fineract may have no row of this key: the first attempt under it is as old as the rows that
    /// Fineract's "Purge Processed Commands" job removes (`docs/fineract/idempotency.md`, "Keys are purged"), or from
    /// a time when keys may have been ignored.
    pub fn may_be_forgotten(&self, key_number: i32, kept_for: Duration) -> bool {
        let oldest = self.of_key(key_number).map(|attempt| attempt.age).max();
        oldest.is_some_and(|age| {
            age.saturating_add(PURGE_MARGIN) >= kept_for
                || self.honoured_for.is_some_and(|honoured| age >= honoured)
        })
    }

    /// Whether any attempt may still run, or take effect late.
    pub fn may_still_run(&self) -> bool {
        self.keys().any(|key| self.may_still_run_under(key))
    }

    pub(super) fn keys(&self) -> RangeInclusive<i32> {
        1..=self.key_number()
    }

    fn may_still_run_under(&self, key: i32) -> bool {
        self.is_open(key, |attempt| !self.ended_with_fineract(attempt))
    }

    /// The commands that may still be executed, each as it was first sent under its key, and whether Fineract has
    /// that key in its books (which it keeps for `kept_for`), so that asking once more executes nothing.
    pub fn open_commands(&self, kept_for: Duration) -> Vec<(&'a Attempt, bool)> {
        self.keys()
            .filter(|key| self.may_still_run_under(*key))
            .filter_map(|key| {
                let first = self
                    .of_key(key)
                    .find(|sent| trace(sent) != Trace::Nothing)?;
                let is_kept = self.not_ended_answers(key).next().is_some()
                    && !self.may_be_forgotten(key, kept_for);
                Some((first, is_kept))
            })
            .collect()
    }

    /// Whether the current key was seen in Fineract's books, which keep it for `kept_for`.
    pub fn is_kept(&self, kept_for: Duration) -> bool {
        self.askings() > 0 && !self.may_be_forgotten(self.key_number(), kept_for)
    }

    /// Whether the current key has ended: under it the same answer would come for ever.
    pub fn key_has_ended(&self) -> bool {
        self.current()
            .is_some_and(|attempt| trace(attempt) == Trace::Ended)
    }

    /// Whether the last answer was made just now, although an attempt before it, under the same key, may
    /// have run: then Fineract did not know that key any more, if it ever did.
    pub fn resent_in_vain(&self) -> bool {
        let Some((current, earlier)) = self.attempts.split_last() else {
            return false;
        };
        answer(current).is_some_and(|answer| !answer.cached)
            && earlier.iter().any(|attempt| {
                attempt.key_number == current.key_number
                    && match trace(attempt) {
                        Trace::Unknown | Trace::Running | Trace::Pending => true,
                        Trace::Nothing | Trace::Ended => false,
                    }
            })
    }
}
