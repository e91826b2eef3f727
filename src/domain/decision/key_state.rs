//! The state of an idempotency key after a single attempt.

use super::reply_class::{Key, ReplyClass};
use crate::domain::{Answer, Attempt, Reply};

/// The state of a key after an attempt under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyState {
    /// The attempt did not change the key's state.
    Unchanged,
    /// The command may have been executed, or may still be running.
    Unknown,
    /// An earlier attempt has not ended. Fineract executed nothing for this attempt.
    Running,
    /// The command waits for a checker.
    Pending,
    /// The command has ended under the key.
    Ended,
}

/// The class of the reply to an attempt.
pub(super) fn reply_class(attempt: &Attempt) -> ReplyClass {
    ReplyClass::of(attempt.reply.as_ref(), Some(&attempt.request))
}

/// The state of the key after an attempt.
pub(super) fn key_state(attempt: &Attempt) -> KeyState {
    match reply_class(attempt) {
        ReplyClass::NotSent | ReplyClass::NotNow { .. } => KeyState::Unchanged,
        ReplyClass::Done | ReplyClass::Failed | ReplyClass::Conflicted => KeyState::Ended,
        ReplyClass::Pending => KeyState::Pending,
        ReplyClass::Running(_) => KeyState::Running,
        ReplyClass::AboutAnother | ReplyClass::Unclear { .. } | ReplyClass::Unclassified => {
            KeyState::Unknown
        }
        ReplyClass::Refused { key, .. } | ReplyClass::Unready { key, .. } => match key {
            Key::Ended => KeyState::Ended,
            Key::NotChecked => KeyState::Unchanged,
            Key::Unclear => KeyState::Unknown,
        },
    }
}

/// Whether an attempt ended in an answer that does not show whether the operation took effect: a stored failure, or a
/// refusal after which Fineract must be read.
pub(super) fn ended_with_effect_unknown(attempt: &Attempt) -> bool {
    match reply_class(attempt) {
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

/// The complete answer to an attempt, if there is one.
pub(super) fn answer(attempt: &Attempt) -> Option<&Answer> {
    match attempt.reply.as_ref()? {
        Reply::Answer(answer) => Some(answer),
        Reply::Failure(_) => None,
    }
}
