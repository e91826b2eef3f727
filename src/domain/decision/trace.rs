//! What single attempts leave behind: of their keys, and of what is known of the effect.

use super::said::{Key, Said};
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
pub(super) fn said(attempt: &Attempt) -> Said {
    Said::by(attempt.reply.as_ref(), Some(&attempt.request))
}

/// What an attempt's answer leaves of its key.
pub(super) fn trace(attempt: &Attempt) -> Trace {
    match said(attempt) {
        Said::NotSent | Said::NotNow { .. } => Trace::Nothing,
        Said::Done | Said::Failed | Said::Conflicted => Trace::Ended,
        Said::Pending => Trace::Pending,
        Said::Running(_) => Trace::Running,
        Said::AboutAnother | Said::Unclear { .. } | Said::Unclassified => Trace::Unknown,
        Said::Refused { key, .. } | Said::Unready { key, .. } => match key {
            Key::Ended => Trace::Ended,
            Key::NotLookedAt => Trace::Nothing,
            Key::Unclear => Trace::Unknown,
        },
    }
}

/// Whether an attempt ended in an answer that does not tell whether the operation took effect: a stored
/// failure, or a refusal that Fineract had to be read about.
pub(super) fn ended_unread(attempt: &Attempt) -> bool {
    match said(attempt) {
        Said::Failed | Said::Conflicted => true,
        Said::Refused { key, .. } => key == Key::Ended,
        Said::NotSent
        | Said::Done
        | Said::Pending
        | Said::AboutAnother
        | Said::Running(_)
        | Said::Unclear { .. }
        | Said::Unready { .. }
        | Said::NotNow { .. }
        | Said::Unclassified => false,
    }
}

/// The whole answer, where there is one.
pub(super) fn answer(attempt: &Attempt) -> Option<&Answer> {
    match attempt.reply.as_ref()? {
        Reply::Answer(answer) => Some(answer),
        Reply::Failure(_) => None,
    }
}
