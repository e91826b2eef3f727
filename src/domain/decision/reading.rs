//! Decides what a reading of Fineract means, for the cases in which the key gives no answer.

use super::History;

/// The question that a reading has to answer. The question determines what the finding `Absent` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Fineract refused because the effect exists already, or it refused while the result of another key is unknown:
    /// did this operation cause the effect?
    AlreadyThere,
    /// Fineract refused before it checked the key, after an attempt whose result is unknown: was that attempt
    /// executed?
    BeforeTheKey,
    /// The key has long been answered with 425, or with a cached 409: was the command executed?
    Stuck,
    /// Fineract stored a failure under the key (a 500, or an error of the database), in most cases without an effect:
    /// is there an effect nevertheless?
    Failed,
    /// Fineract gave up because other requests wrote at the same time: is there an effect nevertheless?
    Conflicted,
    /// The operation is to end without another try (it has expired, or its plan refuses it): did an earlier attempt
    /// have an effect?
    Closing,
    /// The key is so old that Fineract may have purged it. Sending the key again would then execute the command again:
    /// was the command executed?
    Forgotten,
}

/// The result of reading evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The effect exists and is the operation's own.
    Ours,
    /// The effect exists and belongs to somebody else.
    NotOurs,
    /// There is no effect, or the effect existed before anything was sent. Such an earlier effect is no evidence.
    Absent,
    /// The reading does not show whether the effect exists, or to whom it belongs.
    CannotTell,
}

/// What the decision depends on besides the finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Circumstances {
    /// Whether other operations have succeeded since this operation failed for the first time. If so, Fineract as a
    /// whole works.
    pub others_succeeded: bool,
    /// Whether a first command does no harm if it takes effect late, after a second command under a new key.
    pub late_command_harmless: bool,
}

/// The decision after a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadingDecision {
    /// The effect exists and is the operation's own.
    Succeeded,
    /// The operation has no effect and will have none.
    Refused,
    /// The command may be sent under a new key.
    NewKey {
        /// The stable code of the reason.
        reason_code: &'static str,
    },
    /// The reading does not decide yet: send the same key again later.
    SameKey {
        /// The stable code of the reason.
        reason_code: &'static str,
    },
    /// Only a person can decide.
    Park {
        /// The stable code of the reason.
        reason_code: &'static str,
    },
}

/// The number of keys that must end in a failure before the operation is refused.
const KEYS: usize = 2;

/// The reason code of an operation that waits because one of its attempts may still run.
const MAY_STILL_RUN: &str = "an_attempt_may_still_run";

/// Decides what a reading means.
pub fn decide_reading(
    question: Question,
    finding: Finding,
    history: &History<'_>,
    circumstances: Circumstances,
) -> ReadingDecision {
    match finding {
        Finding::Ours => ReadingDecision::Succeeded,
        Finding::CannotTell => ReadingDecision::Park {
            reason_code: "evidence_cannot_tell",
        },
        Finding::NotOurs => refuse_unless_it_may_run(history),
        Finding::Absent => decide_absence(question, history, circumstances),
    }
}

fn decide_absence(
    question: Question,
    history: &History<'_>,
    circumstances: Circumstances,
) -> ReadingDecision {
    match question {
        // Fineract refused because the effect exists, but the reading shows no effect. Sending the key again shows
        // whether the refusal was stored.
        Question::AlreadyThere if history.key_was_not_recognised() && !history.may_still_run() => {
            ReadingDecision::SameKey {
                reason_code: "refused_but_absent",
            }
        }
        Question::AlreadyThere | Question::BeforeTheKey | Question::Closing => {
            refuse_unless_it_may_run(history)
        }
        Question::Forgotten => new_key(history, circumstances, "key_forgotten"),
        Question::Stuck => new_key(history, circumstances, "left_without_effect"),
        Question::Failed
            if history.keys_failed() >= KEYS
                && circumstances.others_succeeded
                && !history.may_still_run() =>
        {
            ReadingDecision::Refused
        }
        Question::Failed => new_key(history, circumstances, "failed_inside_fineract"),
        Question::Conflicted => new_key(history, circumstances, "written_by_others"),
    }
}

/// Refuses the operation, unless one of its attempts may still run.
fn refuse_unless_it_may_run(history: &History<'_>) -> ReadingDecision {
    if history.may_still_run() {
        ReadingDecision::SameKey {
            reason_code: MAY_STILL_RUN,
        }
    } else {
        ReadingDecision::Refused
    }
}

/// Uses a new key if the first command can no longer be executed, or does no harm if it is executed late. Otherwise
/// uses the same key.
fn new_key(
    history: &History<'_>,
    circumstances: Circumstances,
    reason_code: &'static str,
) -> ReadingDecision {
    if circumstances.late_command_harmless || !history.may_still_run() {
        ReadingDecision::NewKey { reason_code }
    } else {
        ReadingDecision::SameKey {
            reason_code: MAY_STILL_RUN,
        }
    }
}
