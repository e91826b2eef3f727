//! Decides what an answer of Fineract means. The decision is pure and exhaustive, and never depends on message texts.
//!
//! The gateway sends the same key first, because the answer that is stored under the key proves best to which operation
//! an effect belongs. It reads Fineract only if the key gives no answer (`docs/fineract/idempotency.md`, "After a lost
//! answer"; `docs/fineract/commands.md`, "What each answer says about a retry"; `ARCHITECTURE.md`, "Never twice").
//! `docs/DECISIONS.md` lists every case; the tests generate it.

mod audited;
mod checker;
mod failed;
mod history;
mod key_state;
mod reading;
mod refusal;
mod reply_class;
mod success;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::reply_class::Scope;
pub use self::{
    audited::{Audit, Audited},
    checker::UNSEEN,
    history::History,
    reading::{Circumstances, Finding, Question, ReadingDecision, decide_reading},
};
use self::{checker::CheckerState, reply_class::ReplyClass};
use super::Reply;

/// How long the gateway repeats a step before it does something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// `FINERACT_STUCK_AFTER_SECONDS`: how long Fineract may answer 425, or a cached 409, before the gateway reads the
    /// evidence in Fineract.
    pub stuck_after: Duration,
}

/// How often Fineract must answer 425, or a cached 409, before the gateway reads the evidence in Fineract. The time
/// [`Patience::stuck_after`] must have passed as well.
const MIN_STILL_RUNNING_ANSWERS: usize = 3;

/// What an answer, or its absence, means for the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The effect exists and is the operation's own. [`History::success`] has Fineract's answer.
    Succeeded,
    /// The operation is refused permanently and had no effect.
    Refused,
    /// The result is unknown, or the command still runs: send the same key again.
    SameKey {
        /// The stable code of the reason.
        reason_code: &'static str,
        /// Whether Fineract as a whole may be unavailable. If so, nobody needs to decide about single operations.
        outage: bool,
    },
    /// The key gives no answer: read Fineract, then decide.
    Read(Question),
    /// A checker has to approve the command in Fineract first.
    AwaitChecker,
    /// A checker has rejected the command in Fineract.
    Rejected,
    /// Fineract may accept no commands of this scope: block the scope (the deployment only if a probe fails too).
    Suspect {
        /// The scope that may be blocked.
        scope: Scope,
        /// The stable code of the reason.
        reason_code: &'static str,
    },
    /// Only a person can decide.
    Park {
        /// The stable code of the reason.
        reason_code: &'static str,
    },
}

/// Decides what the reply to the last attempt means.
pub fn decide(reply: &Reply, history: &History<'_>, patience: Patience) -> Decision {
    // A success is final, even if it came late: no later answer changes it.
    if history.success().is_some() {
        return Decision::Succeeded;
    }
    let class = ReplyClass::of(Some(reply), history.request());
    if let Some(state) = checker::checker_state(class, history) {
        return match state {
            CheckerState::Waiting => Decision::AwaitChecker,
            CheckerState::Rejected => Decision::Rejected,
            CheckerState::RejectedAndUnknown => Decision::SameKey {
                reason_code: UNSEEN,
                outage: false,
            },
        };
    }
    match class {
        ReplyClass::NotSent => Decision::SameKey {
            reason_code: "fineract_unreachable",
            outage: true,
        },
        ReplyClass::Done => Decision::Succeeded,
        ReplyClass::Pending => Decision::AwaitChecker,
        ReplyClass::AboutAnother => Decision::Park {
            reason_code: ANSWER_ABOUT_ANOTHER,
        },
        ReplyClass::Running(reason_code) => not_ended_yet(history, patience, reason_code),
        ReplyClass::Unclear {
            reason_code,
            outage,
        }
        | ReplyClass::NotNow {
            reason_code,
            outage,
        } => Decision::SameKey {
            reason_code,
            outage,
        },
        ReplyClass::Failed => Decision::Read(Question::Failed),
        ReplyClass::Conflicted => Decision::Read(Question::Conflicted),
        ReplyClass::Refused { already_there, key } => {
            refusal::decide_refusal(already_there, key, history)
        }
        ReplyClass::Unready {
            scope,
            reason_code,
            key: _,
        } => Decision::Suspect { scope, reason_code },
        ReplyClass::Unclassified => Decision::Park {
            reason_code: "unclassified_answer",
        },
    }
}

/// The reason code for an answer about another client or loan than the one in the request.
pub const ANSWER_ABOUT_ANOTHER: &str = "answer_about_another";

/// Decides about a key that has not ended: the command runs, the server died while the command ran, or the command
/// waits for a checker. Fineract gives the same answer in all three cases (`docs/fineract/idempotency.md`, "The same
/// key again").
fn not_ended_yet(history: &History<'_>, patience: Patience, reason_code: &'static str) -> Decision {
    if history.stuck_for() >= patience.stuck_after
        && history.still_running_answers() >= MIN_STILL_RUNNING_ANSWERS
    {
        Decision::Read(Question::Stuck)
    } else {
        Decision::SameKey {
            reason_code,
            outage: false,
        }
    }
}
