//! What single attempts leave behind: of their keys, and of what is known of the effect.

use super::reply_class::{Key, ReplyClass};
use crate::domain::{Answer, Attempt, Reply};

/// What a reply leaves of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// What it was.
    Nothing,
    /// It may have run, or may run still.
    Unknown,
    /// An earlier attempt has not ended; this one did nothing.
    Running,
    /// It waits for a checker.
    Pending,
    /// It has ended.
    Ended,
}

/// What an attempt was answered.
pub(super) fn class(attempt: &Attempt) -> ReplyClass {
    ReplyClass::of(attempt.reply.as_ref(), Some(&attempt.request))
}

/// What an attempt's answer leaves of its key.
pub(super) fn trace(attempt: &Attempt) -> Trace {
    match class(attempt) {
        ReplyClass::NotSent | ReplyClass::NotNow { .. } => Trace::Nothing,
        ReplyClass::Done | ReplyClass::Failed | ReplyClass::Conflicted => Trace::Ended,
        ReplyClass::Pending => Trace::Pending,
        ReplyClass::Running(_) => Trace::Running,
        ReplyClass::AboutAnother | ReplyClass::Unclear { .. } | ReplyClass::Unclassified => {
            Trace::Unknown
        }
        ReplyClass::Refused { key, .. } | ReplyClass::Unready { key, .. } => match key {
            Key::Ended => Trace::Ended,
            Key::NotLookedAt => Trace::Nothing,
            Key::Unclear => Trace::Unknown,
        },
    }
}

/// Whether an attempt ended in an answer that does not tell whether the operation took effect: a stored
/// failure, or a refusal that Fineract had to be read about.
pub(super) fn ended_unread(attempt: &Attempt) -> bool {
    match class(attempt) {
        ReplyClass::Failed | ReplyClass::Conflicted => true,
        ReplyClass::Refused { key, .. } => key == Key::Ended,
        ReplyClass::NotSent
        | ReplyClass::Done
        | ReplyClass::Pending
        | ReplyClass::AboutAnother
        | ReplyClass::Running(_)
        | ReplyClass::Unclear { .. }
        | ReplyClass::Unready { .. }
        | ReplyClass::NotNow { .. }
        | ReplyClass::Unclassified => false,
    }
}

/// The whole answer, where there is one.
pub(super) fn answer(attempt: &Attempt) -> Option<&Answer> {
    match attempt.reply.as_ref()? {
        Reply::Answer(answer) => Some(answer),
        Reply::Failure(_) => None,
    }
}
