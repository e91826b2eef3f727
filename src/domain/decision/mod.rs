//! What an answer means: the outcome engine. Pure, exhaustive, and never by message text.
//!
//! The same key comes first: the answer stored under it is the only proof of whose effect it was.
//! Reading decides only where the key cannot (`docs/fineract/idempotency.md`, "After a lost answer";
//! `docs/fineract/commands.md`, "What each answer says about a retry"; `ARCHITECTURE.md`, "Never twice").
//! `docs/DECISIONS.md` lists every case; the tests write it.

mod audited;
mod checker;
mod failed;
mod history;
mod reading;
mod refusal;
mod reply_class;
mod success;
mod trace;

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
use self::{checker::Waiting, reply_class::ReplyClass};
use super::Reply;

/// How long things may take before something else is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// `FINERACT_STUCK_AFTER_SECONDS`: how long a 425, or a cached 409, may stay before a GET decides.
    pub stuck_after: Duration,
}

/// The fewest askings over [`Patience::stuck_after`] before a GET decides.
const ASKINGS: usize = 3;

/// What an answer, or its absence, means for its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The effect is there, and ours: [`History::success`] says so.
    Succeeded,
    /// Refused for good, without an effect.
    Refused,
    /// Whether it took effect is not known, or it goes on: the same key again.
    SameKey {
        /// Why, as a stable code.
        reason_code: &'static str,
        /// Whether Fineract as a whole may be away, which nobody has to decide operation by operation.
        outage: bool,
    },
    /// The key cannot tell: read, then decide.
    Read(Question),
    /// A checker has to approve it in Fineract first.
    AwaitChecker,
    /// A checker has rejected it in Fineract.
    Rejected,
    /// Fineract takes nothing of us, or nothing of this kind: see whether a probe fails too.
    Suspect {
        /// What may be blocked.
        scope: Scope,
        /// Why, as a stable code.
        reason_code: &'static str,
    },
    /// Only a person can decide it.
    Park {
        /// Why, as a stable code.
        reason_code: &'static str,
    },
}

/// Decides what the last attempt's reply means.
pub fn decide(reply: &Reply, history: &History<'_>, patience: Patience) -> Decision {
    // Nothing that comes later takes a success back: not even one that came late.
    if history.success().is_some() {
        return Decision::Succeeded;
    }
    let class = ReplyClass::of(Some(reply), history.request());
    if let Some(waiting) = checker::waiting(class, history) {
        return match waiting {
            Waiting::Waits => Decision::AwaitChecker,
            Waiting::Rejected => Decision::Rejected,
            Waiting::OneOfSeveral => Decision::SameKey {
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
        ReplyClass::Refused { already_there, key } => refusal::weigh(already_there, key, history),
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

/// An answer about another client or loan than the one asked about.
pub const ANSWER_ABOUT_ANOTHER: &str = "answer_about_another";

/// The command runs, or its server died while it ran, or it waits for a checker: the same answer for
/// all (`docs/fineract/idempotency.md`, "The same key again").
fn not_ended_yet(history: &History<'_>, patience: Patience, reason_code: &'static str) -> Decision {
    if history.stuck_for() >= patience.stuck_after && history.askings() >= ASKINGS {
        Decision::Read(Question::Stuck)
    } else {
        Decision::SameKey {
            reason_code,
            outage: false,
        }
    }
}
