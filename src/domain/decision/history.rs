//! What an operation's attempts say together.

use std::time::Duration;

use crate::domain::{Answer, Attempt, Failure, Reply};

/// All attempts of an operation, the first one first, the one that was just answered last.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    attempts: &'a [Attempt],
}

/// What a reply says about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    /// Nothing reached Fineract.
    NotSent,
    /// It may have run, or may run still.
    Unknown,
    /// It has ended, and is stored under its key.
    Ended,
    /// It was refused before the key was looked at: it says nothing of earlier attempts.
    NotLookedAt,
}

fn trace(attempt: &Attempt) -> Trace {
    match &attempt.reply {
        None | Some(Reply::Failure(Failure::TimedOut | Failure::Closed)) => Trace::Unknown,
        Some(Reply::Failure(Failure::NotConnected)) => Trace::NotSent,
        Some(Reply::Answer(answer)) => trace_answer(answer),
    }
}

fn trace_answer(answer: &Answer) -> Trace {
    match answer.status {
        // Not ended yet.
        409 if answer.cached => Trace::Unknown,
        409 if answer
            .codes()
            .iter()
            .any(|code| code == "error.msg.loan.locked") =>
        {
            Trace::NotLookedAt
        }
        401 | 404 | 405 | 415 | 429 | 300..=399 => Trace::NotLookedAt,
        403 if answer
            .codes()
            .iter()
            .any(|code| code == "error.msg.not.authorized") =>
        {
            Trace::NotLookedAt
        }
        503 if answer
            .codes()
            .iter()
            .any(|code| code == "error.msg.sheduler.job.currently.running") =>
        {
            Trace::NotLookedAt
        }
        200 | 500 => Trace::Ended,
        400 | 403 | 409 | 503 if !answer.codes().is_empty() => Trace::Ended,
        _ => Trace::Unknown,
    }
}

impl<'a> History<'a> {
    /// The history that these attempts make.
    pub fn new(attempts: &'a [Attempt]) -> Self {
        Self { attempts }
    }

    fn current(&self) -> Option<&'a Attempt> {
        self.attempts.last()
    }

    fn key_number(&self) -> i32 {
        self.current().map_or(1, |attempt| attempt.key_number)
    }

    fn of_key(&self, key_number: i32) -> impl Iterator<Item = &'a Attempt> + use<'a> {
        self.attempts
            .iter()
            .filter(move |attempt| attempt.key_number == key_number)
    }

    /// The request of the last attempt.
    pub fn request(&self) -> Option<&'a crate::domain::Request> {
        self.current().map(|attempt| &attempt.request)
    }

    /// How long ago the current key was first sent.
    pub fn key_age(&self) -> Duration {
        self.of_key(self.key_number())
            .map(|attempt| attempt.age)
            .max()
            .unwrap_or_default()
    }

    /// How often the current key was answered "not ended yet".
    pub fn askings(&self) -> usize {
        self.of_key(self.key_number())
            .filter(|attempt| match &attempt.reply {
                Some(Reply::Answer(answer)) => {
                    answer.status == 425 || (answer.status == 409 && answer.cached)
                }
                Some(Reply::Failure(_)) | None => false,
            })
            .count()
    }

    /// Whether an attempt under a key may have run, or run still, and no later answer under that key has
    /// told its end.
    fn key_is_unknown(&self, key_number: i32) -> bool {
        let mut unknown = false;
        for attempt in self.of_key(key_number) {
            match trace(attempt) {
                Trace::Unknown => unknown = true,
                Trace::Ended => unknown = false,
                Trace::NotSent | Trace::NotLookedAt => {}
            }
        }
        unknown
    }

    /// Whether an attempt under an earlier key is unknown.
    pub fn other_key_unknown(&self) -> bool {
        (1..self.key_number()).any(|key| self.key_is_unknown(key))
    }

    /// Whether an attempt before the last one, under the same key, was unknown when the last was sent.
    pub fn resent_after_unknown(&self) -> bool {
        let Some((_, earlier)) = self.attempts.split_last() else {
            return false;
        };
        History::new(earlier).attempts.iter().any(|attempt| {
            attempt.key_number == self.key_number() && trace(attempt) == Trace::Unknown
        })
    }

    /// Whether any attempt may still run, or have run without our knowing.
    pub fn may_still_run(&self) -> bool {
        (1..=self.key_number()).any(|key| self.key_is_unknown(key))
    }

    /// How many keys have ended in a 500.
    pub fn keys_failed_inside(&self) -> usize {
        (1..=self.key_number())
            .filter(|&key| {
                self.of_key(key).any(|attempt| {
                    matches!(&attempt.reply, Some(Reply::Answer(answer)) if answer.status == 500)
                })
            })
            .count()
    }
}
