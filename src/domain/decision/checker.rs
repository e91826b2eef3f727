//! Commands that wait for a checker (`docs/fineract/checkers.md`).
//!
//! Fineract's audit of a command shows whether somebody has checked it. Only the answer to the command's key shows the
//! result. The gateway may send the key only while the audit exists: after a command was deleted from the list, its key
//! is free again, and sending the key would submit the command a second time. Fineract's list of waiting commands is no
//! evidence, because the list is empty for a user who may not check.

use std::time::Duration;

use super::{
    History,
    audited::{Audit, Audited},
    key_state::{KeyState, answer, key_state, reply_class},
    reply_class::ReplyClass,
    success,
};
use crate::domain::Attempt;

impl<'a> History<'a> {
    /// Whether a command waits for a checker: under one of the keys, Fineract answered that the command waits, and no
    /// later answer ended this key.
    pub fn awaits_checker(&self) -> bool {
        self.keys().any(|key| self.last_pending(key).is_some())
    }

    /// The last attempt under a key that was answered with "waits for a checker", unless the key has ended since.
    fn last_pending(&self, key: i32) -> Option<&'a Attempt> {
        self.of_key(key)
            .fold(None, |pending, attempt| match key_state(attempt) {
                KeyState::Pending => Some(attempt),
                KeyState::Ended => None,
                KeyState::Unchanged | KeyState::Unknown | KeyState::Running => pending,
            })
    }

    /// Whether any attempt was answered with "waits for a checker". Fineract may then show the checker, instead of the
    /// gateway's user, as the author of the effect.
    pub fn has_awaited_checker(&self) -> bool {
        self.attempts
            .iter()
            .any(|attempt| reply_class(attempt) == ReplyClass::Pending)
    }

    /// The number of the command that waits for a checker under the current key, if Fineract's answer contained it.
    pub fn pending_command(&self) -> Option<i64> {
        self.last_pending(self.key_number())
            .and_then(answer)
            .and_then(success::pending_command)
    }

    /// The time since the command was submitted to its checker, and the time since its key was last sent.
    pub fn waiting_for_checker(&self) -> Option<(Duration, Duration)> {
        let submitted = self.last_pending(self.key_number())?.age;
        self.current().map(|last| (submitted, last.age))
    }

    /// What the audit shows of the command that waits for a checker.
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

/// The reason code of an operation whose command may wait for a checker, or may have waited for one, although Fineract
/// does not show the command.
pub const UNSEEN: &str = "awaiting_checker_unseen";

/// What an inconclusive answer to a key means, given the audit of the command that was read before the key was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckerState {
    /// The command waits for its checker, without a time limit.
    Waiting,
    /// The checker rejected the command. The key will never give another answer.
    Rejected,
    /// The checker rejected the command, but a command under another key may also wait for a checker.
    RejectedAndUnknown,
}

/// The code with which 1.10.1 answers a key whose command waits or was rejected (`docs/fineract/release-1.10.1.md`,
/// "Answers under a key").
const DATA_INTEGRITY: &str = "error.msg.data.integrity.issue";

/// The state of a command that was submitted to a checker, if the last answer to its key is inconclusive. `None` for
/// any other answer. An inconclusive answer is a 425 or, up to Fineract 1.10.1, a 403 with an error of the database
/// (`docs/fineract/release-1.10.1.md`, "Answers under a key"). Fineract gives it while the command waits, and also
/// after the command was rejected.
pub(super) fn checker_state(reply: ReplyClass, history: &History<'_>) -> Option<CheckerState> {
    let is_inconclusive = match reply {
        ReplyClass::Running(reason_code) => reason_code == "still_running",
        // Any other error of the database may be temporary.
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
    if !is_inconclusive {
        return None;
    }
    match history.seen_audit()? {
        Audit::Unchecked => Some(CheckerState::Waiting),
        Audit::Checked if history.other_key_unknown() => Some(CheckerState::RejectedAndUnknown),
        Audit::Checked => Some(CheckerState::Rejected),
        Audit::Unseen => None,
    }
}
