//! Commands that wait for a checker (`docs/fineract/checkers.md`).
//!
//! Fineract's audit of a command tells whether somebody has checked it, and only the command's key with what
//! result. The key may be asked only while the audit is there: that of a command that was deleted from the
//! list is free again, and would put the command up a second time. Fineract's list of what waits says
//! nothing: it is empty to who may not check.

use std::time::Duration;

use super::{
    History,
    audited::{Audit, Audited},
    reply_class::ReplyClass,
    success,
    trace::{Trace, answer, class, trace},
};
use crate::domain::Attempt;

impl<'a> History<'a> {
    /// Whether a command waits for a checker, as far as its key has told: it was answered so, and has not
    /// ended since.
    pub fn awaits_checker(&self) -> bool {
        self.keys().any(|key| self.put_up(key).is_some())
    }

    /// The last answer that a key's command waits for a checker, if that is what it did last.
    fn put_up(&self, key: i32) -> Option<&'a Attempt> {
        self.of_key(key)
            .fold(None, |put_up, attempt| match trace(attempt) {
                Trace::Pending => Some(attempt),
                Trace::Ended => None,
                Trace::Nothing | Trace::Unknown | Trace::Running => put_up,
            })
    }

    /// Whether an attempt was ever answered so: what took effect may stand under a checker's name.
    pub fn was_put_up(&self) -> bool {
        self.attempts
            .iter()
            .any(|attempt| class(attempt) == ReplyClass::Pending)
    }

    /// The number of the command that waits for a checker under the current key, where its answer told it.
    pub fn pending_command(&self) -> Option<i64> {
        self.put_up(self.key_number())
            .and_then(answer)
            .and_then(success::pending_command)
    }

    /// How long ago the command was put before its checker, and the key last asked.
    pub fn waiting_for_checker(&self) -> Option<(Duration, Duration)> {
        let put_up = self.put_up(self.key_number())?.age;
        self.current().map(|last| (put_up, last.age))
    }

    /// What the audit of the command that waits says of it.
    pub fn audit(&self, audited: &Audited, users: &[&str]) -> Audit {
        let is_ours = self
            .request()
            .is_some_and(|request| audited.is_of(request, users));
        if !is_ours {
            Audit::Unseen
        } else if audited.is_checked() {
            Audit::Checked
        } else {
            Audit::Unchecked
        }
    }
}

/// Why an operation waits whose command may be before a checker, or was, and nobody can see what became of it.
pub const UNSEEN: &str = "awaiting_checker_unseen";

/// What a key's answer means that says neither yes nor no, where the audit of its command was seen before it
/// was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// For its checker, as long as that takes.
    Waits,
    /// Rejected: the key never says anything else.
    Rejected,
    /// Rejected, but a command under another key may wait as well.
    OneOfSeveral,
}

/// What 1.10.1 answers about a key whose command waits, or was rejected (`docs/fineract/release-1.10.1.md`, "Answers
/// under a key").
const DATA_INTEGRITY: &str = "error.msg.data.integrity.issue";

/// Whether the answer is that of a command that waits for a checker or was rejected: 425, or up to 1.10.1 a
/// 403 of the database (`docs/fineract/release-1.10.1.md`, "Answers under a key").
pub(super) fn waiting(reply: ReplyClass, history: &History<'_>) -> Option<Waiting> {
    let is_neither = match reply {
        ReplyClass::Running(reason_code) => reason_code == "still_running",
        // Any other word of the database may be a hiccup.
        ReplyClass::Unclear { .. } => history.current().and_then(answer).is_some_and(|answer| {
            let codes = answer.codes();
            answer.status == 403 && codes.iter().any(|code| code == DATA_INTEGRITY)
        }),
        ReplyClass::NotSent
        | ReplyClass::Done
        | ReplyClass::Pending
        | ReplyClass::AboutAnother
        | ReplyClass::Failed
        | ReplyClass::Conflicted
        | ReplyClass::Refused { .. }
        | ReplyClass::Unready { .. }
        | ReplyClass::NotNow { .. }
        | ReplyClass::Unclassified => false,
    };
    if !is_neither {
        return None;
    }
    match history.seen_audit()? {
        Audit::Unchecked => Some(Waiting::Waits),
        Audit::Checked if history.other_key_unknown() => Some(Waiting::OneOfSeveral),
        Audit::Checked => Some(Waiting::Rejected),
        Audit::Unseen => None,
    }
}
