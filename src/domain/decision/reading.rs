//! What a reading of Fineract decides where a key cannot.

use super::History;

/// What is asked of a reading, and so what its absence of evidence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// A refusal says that it is there already, or comes while another key is unknown: was it us?
    AlreadyThere,
    /// A refusal that is given before the key is looked at, after an attempt that is unknown.
    BeforeTheKey,
    /// The key does not answer any more (425, or a cached 409, that stays): has it happened?
    Stuck,
    /// A failure is stored under the key, mostly without the effect (a 500, a database's hiccup): did it
    /// happen all the same?
    Failed,
    /// Fineract gave up because others wrote at the same time.
    Conflicted,
    /// It is to end without another try (it may be sent no more, or a plan refuses it): has an attempt of
    /// it happened all the same?
    Closing,
    /// Its key is so old that Fineract may have purged it: sent again, it would run anew.
    Forgotten,
}

/// What a reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// There, and ours.
    Ours,
    /// There, and not ours.
    NotOurs,
    /// Not there, or there already before anything was sent: no evidence that it happened.
    Absent,
    /// Reading cannot tell.
    CannotTell,
}

/// What else a reading's decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Circumstances {
    /// Whether other operations succeeded since this one's first failure: it is not Fineract as a whole.
    pub others_succeeded: bool,
    /// Whether a first command that is executed late, after a second under a new key, can do no harm.
    pub late_command_harmless: bool,
}

/// What a reading decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadingDecision {
    /// It has happened, by us.
    Succeeded,
    /// It will not happen by us.
    Refused,
    /// A new key may be used.
    NewKey {
        /// Why, as a stable code.
        reason_code: &'static str,
    },
    /// Not yet: the same key again, later.
    SameKey {
        /// Why, as a stable code.
        reason_code: &'static str,
    },
    /// Only a person can decide it.
    Park {
        /// Why, as a stable code.
        reason_code: &'static str,
    },
}

/// How many keys have to end in a failure before it counts as a refusal.
const KEYS: usize = 2;

/// Why an operation waits although what was read speaks against it.
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
        // "Already there", and yet not: asked once more, the key tells whether it was refused.
        Question::AlreadyThere if history.resent_in_vain() && !history.may_still_run() => {
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

/// A refusal is final only where nothing of the operation may still run.
fn refuse_unless_it_may_run(history: &History<'_>) -> ReadingDecision {
    if history.may_still_run() {
        ReadingDecision::SameKey {
            reason_code: MAY_STILL_RUN,
        }
    } else {
        ReadingDecision::Refused
    }
}

/// A second command, if the first can no more be executed, or would be refused.
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
