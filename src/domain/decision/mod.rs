//! What an answer means: the outcome engine. Pure, exhaustive, and never by message text.
//!
//! The same key comes first: the answer stored under it is the only proof of whose effect it was.
//! Reading decides only where the key cannot (`CONTRACT.md` sections 12.5 and 18; DESIGN.md section 4).

mod codes;
mod history;
mod refusal;
mod success;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::{codes::Meaning, history::History};
use self::{refusal::read_refusal, success::read_success};
use super::{Answer, Failure, Reply};

/// How long things may take before something else is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// `FINERACT_STUCK_AFTER_SECONDS`: how long a 425, or a cached 409, may stay before a GET decides.
    pub stuck_after: Duration,
}

/// The fewest askings over [`Patience::stuck_after`] before a GET decides.
const ASKINGS: usize = 3;

/// What an answer, or its absence, means for its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The effect is there, and ours.
    Succeeded,
    /// Refused for good, without an effect.
    Refused,
    /// Whether it took effect is not known, or it goes on: the same key again.
    SameKey {
        /// Why, as a stable code.
        why: &'static str,
    },
    /// The key cannot tell: read, then decide.
    Read(Question),
    /// A checker has to approve it in Fineract first.
    AwaitChecker,
    /// Fineract takes nothing of us, or nothing of this kind: see whether a probe fails too.
    Suspect {
        /// What may be blocked.
        scope: Scope,
        /// Why, as a stable code.
        why: &'static str,
    },
    /// Only a person can decide it.
    Park {
        /// Why, as a stable code.
        why: &'static str,
    },
}

/// What may be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything: credentials, tenant, address.
    Deployment,
    /// One operation type: a permission is missing.
    Type,
    /// One lender: its product, or what it needs, is missing.
    Lender,
}

/// What is asked of a reading, and so what its absence of evidence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// A refusal says that it is there already, or that the state has moved on: was it us?
    AlreadyThere,
    /// The key does not answer any more (425, or a cached 409, that stays): has it happened?
    Stuck,
    /// A failure is stored under the key, mostly without the effect (500, 409 conflict, a database's
    /// hiccup): did it happen all the same?
    FailedInside,
    /// A refusal that is given before the key is looked at, after an attempt whose outcome is unknown.
    BeforeTheKey,
}

/// What a reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// There, and ours.
    Ours,
    /// There, and not ours.
    NotOurs,
    /// Not there.
    Absent,
    /// Reading cannot tell.
    CannotTell,
}

/// What a reading decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It has happened, by us.
    Succeeded,
    /// It will not happen by us.
    Refused,
    /// A new key may be used.
    NewKey {
        /// Why, as a stable code.
        why: &'static str,
    },
    /// Not yet: the same key again, later.
    SameKey {
        /// Why, as a stable code.
        why: &'static str,
    },
    /// Only a person can decide it.
    Park {
        /// Why, as a stable code.
        why: &'static str,
    },
}

/// Decides what the last attempt's reply means.
pub fn decide(reply: &Reply, history: &History<'_>, patience: Patience) -> Decision {
    match reply {
        Reply::Failure(Failure::NotConnected) => Decision::SameKey {
            why: "fineract_unreachable",
        },
        Reply::Failure(Failure::TimedOut) => Decision::SameKey {
            why: "answer_timed_out",
        },
        Reply::Failure(Failure::Closed) => Decision::SameKey {
            why: "connection_closed",
        },
        Reply::Answer(answer) => decide_answer(answer, history, patience),
    }
}

fn decide_answer(answer: &Answer, history: &History<'_>, patience: Patience) -> Decision {
    match answer.status {
        200 => read_success(answer, history),
        300..=399 => Decision::Suspect {
            scope: Scope::Deployment,
            why: "redirected",
        },
        425 => not_ended_yet(history, patience, "still_running"),
        409 if answer.cached => not_ended_yet(history, patience, "between_retries"),
        429 => Decision::SameKey {
            why: "too_many_requests",
        },
        400..=499 | 503 => read_refusal(answer, history),
        500 => Decision::Read(Question::FailedInside),
        502 | 504 => Decision::SameKey {
            why: "gateway_error",
        },
        // Any other success has lost its body on the way; any other failure is nobody's we know.
        201..=299 => Decision::SameKey {
            why: "unreadable_success",
        },
        0..=199 | 501 | 505..=u16::MAX => Decision::Park {
            why: "unclassified_answer",
        },
    }
}

/// The command runs, or its server died while it ran: the same answer for both (`CONTRACT.md` 12.3).
fn not_ended_yet(history: &History<'_>, patience: Patience, why: &'static str) -> Decision {
    if history.key_age() >= patience.stuck_after && history.askings() >= ASKINGS {
        Decision::Read(Question::Stuck)
    } else {
        Decision::SameKey { why }
    }
}

/// How far 500s have to go before they count as a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Elsewhere {
    /// Whether other operations succeeded since this one's first failure: it is not Fineract as a whole.
    pub others_succeeded: bool,
    /// Whether a first command that is executed late can do no harm, or can no more be executed.
    pub late_command_harmless: bool,
}

/// Decides what a reading means.
pub fn decide_reading(
    question: Question,
    finding: Finding,
    history: &History<'_>,
    elsewhere: Elsewhere,
) -> Verdict {
    match (finding, question) {
        (Finding::Ours, _) => Verdict::Succeeded,
        (Finding::CannotTell, _) => Verdict::Park {
            why: "evidence_cannot_tell",
        },
        (Finding::NotOurs, _) if history.may_still_run() => Verdict::SameKey {
            why: "an_attempt_may_still_run",
        },
        (Finding::NotOurs, _) => Verdict::Refused,
        (Finding::Absent, Question::AlreadyThere | Question::BeforeTheKey) => {
            if history.may_still_run() {
                Verdict::SameKey {
                    why: "an_attempt_may_still_run",
                }
            } else {
                Verdict::Refused
            }
        }
        (Finding::Absent, Question::Stuck) => {
            if elsewhere.late_command_harmless {
                Verdict::NewKey {
                    why: "left_without_effect",
                }
            } else {
                Verdict::SameKey {
                    why: "an_attempt_may_still_run",
                }
            }
        }
        (Finding::Absent, Question::FailedInside) => {
            if history.keys_failed_inside() >= 2 && elsewhere.others_succeeded {
                Verdict::Refused
            } else {
                Verdict::NewKey {
                    why: "failed_inside_fineract",
                }
            }
        }
    }
}
