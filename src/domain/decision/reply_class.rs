//! What one reply says, taken by itself: by its status, its codes, and whether it is a stored one.

use super::success::{CommandResult, is_about_another};
use crate::domain::{
    Answer, Failure, Reply, Request,
    error_codes::{self, Meaning},
};

/// What may be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything: credentials, tenant, address.
    Deployment,
    /// One operation type: a permission, or something that all of it need, is missing.
    Type,
    /// One lender: its product, or what it needs, is missing.
    Lender,
}

/// What a refusal says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The command has ended under it; the same answer comes again.
    Ended,
    /// It was not looked at: earlier attempts under it are as they were.
    NotLookedAt,
    /// The command may have run all the same.
    Unclear,
}

/// What one reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyClass {
    /// Nothing was sent.
    NotSent,
    /// Done, with its effect.
    Done,
    /// Run, and rolled back until a checker approves it.
    Pending,
    /// Of another client or loan than the request's.
    AboutAnother,
    /// An earlier attempt under the key has not ended, or its server died; nothing was run now.
    Running(&'static str),
    /// It may have run, or may run still.
    Unclear {
        /// Why nobody knows, as a stable code.
        reason_code: &'static str,
        /// Whether Fineract as a whole may be away.
        outage: bool,
    },
    /// Ended in a failure that says nothing of the effect.
    Failed,
    /// Ended without an effect: others wrote at the same time, three times.
    Conflicted,
    /// Refused.
    Refused {
        /// Because it is there already, or the state has moved on.
        already_there: bool,
        /// What that says of the key.
        key: Key,
    },
    /// Something has to be set up first.
    Unready {
        /// For whom.
        scope: Scope,
        /// What, as a stable code.
        reason_code: &'static str,
        /// What that says of the key.
        key: Key,
    },
    /// Not now, and the key was not looked at.
    NotNow {
        /// Why, as a stable code.
        reason_code: &'static str,
        /// Whether Fineract as a whole may be away.
        outage: bool,
    },
    /// Nothing that Fineract, or a proxy before it, is known to answer.
    Unclassified,
}

impl ReplyClass {
    /// What a reply says; `None`: there is none, or none yet.
    pub(super) fn of(reply: Option<&Reply>, request: Option<&Request>) -> Self {
        let unclear = |reason_code| Self::Unclear {
            reason_code,
            outage: true,
        };
        match reply {
            None => unclear("no_answer_kept"),
            Some(Reply::Failure(Failure::NotConnected)) => Self::NotSent,
            Some(Reply::Failure(Failure::TimedOut)) => unclear("answer_timed_out"),
            Some(Reply::Failure(Failure::Closed)) => unclear("connection_closed"),
            Some(Reply::Answer(answer)) => Self::in_answer(answer, request),
        }
    }

    fn in_answer(answer: &Answer, request: Option<&Request>) -> Self {
        match answer.status {
            200 => Self::in_success(answer, request),
            // A success that has lost its body on the way.
            201..=299 => Self::Unclear {
                reason_code: "unreadable_success",
                outage: false,
            },
            300..=399 => Self::Unready {
                scope: Scope::Deployment,
                reason_code: "redirected",
                key: Key::NotLookedAt,
            },
            425 => Self::Running("still_running"),
            409 if answer.cached => Self::Running("between_retries"),
            429 => Self::NotNow {
                reason_code: "too_many_requests",
                outage: true,
            },
            // Stored: the handler threw.
            500 if answer.cached => Self::Failed,
            // Thrown by the handler, or before the key (a filter), or after the effect (the row could
            // not be written): the key knows.
            500 => Self::Unclear {
                reason_code: "failed_inside_fineract",
                outage: true,
            },
            408 | 501 | 502 | 504..=599 => Self::Unclear {
                reason_code: "gateway_error",
                outage: true,
            },
            400 | 401 | 403 | 404 | 405 | 409 | 503 => Self::in_refusal(answer),
            0..=199 | 402 | 406 | 407 | 410..=424 | 426..=428 | 430..=499 | 600..=u16::MAX => {
                Self::Unclassified
            }
        }
    }

    fn in_refusal(answer: &Answer) -> Self {
        let Some(meaning) = error_codes::meaning(&answer.codes()) else {
            return Self::without_code(answer);
        };
        let stored = if answer.cached {
            Key::Ended
        } else {
            Key::NotLookedAt
        };
        let unready = |scope, reason_code, key| Self::Unready {
            scope,
            reason_code,
            key,
        };
        match (answer.status, meaning) {
            (401, _) => unready(Scope::Deployment, "unauthenticated", Key::NotLookedAt),
            (_, Meaning::PasswordExpired) => {
                unready(Scope::Deployment, "password_expired", Key::NotLookedAt)
            }
            (409, Meaning::Conflict) => Self::Conflicted,
            // Besides the lock's own code Fineract has one for a lock that nobody may overrule
            // (`docs/fineract/commands.md`, "Errors without the envelope").
            (409, _) | (_, Meaning::Locked) => Self::NotNow {
                reason_code: "locked_in_fineract",
                outage: false,
            },
            (_, Meaning::ReadOnlyServer) => Self::NotNow {
                reason_code: "read_only_server",
                outage: true,
            },
            // ReplyClass by a handler too (an active client needs a permission more): then it is stored.
            (_, Meaning::PermissionMissing) => unready(Scope::Type, "permission_missing", stored),
            (_, Meaning::LenderUnready) => unready(Scope::Lender, "lender_unready", stored),
            (_, Meaning::OfficeMissing) => unready(Scope::Type, "office_missing", stored),
            (_, Meaning::PaymentTypeMissing) => {
                unready(Scope::Type, "payment_type_missing", stored)
            }
            (_, Meaning::Ambiguous | Meaning::Conflict) if answer.cached => Self::Failed,
            // Up to 1.10.1 also: another attempt under the key is being run (`docs/fineract/release-1.10.1.md`,
            // "Answers under a key").
            (_, Meaning::Ambiguous | Meaning::Conflict) => Self::Unclear {
                reason_code: "database_spoke",
                outage: false,
            },
            (_, Meaning::AlreadyThere) => Self::Refused {
                already_there: true,
                key: Key::Ended,
            },
            // An external id, a path and the JSON are read before the key is looked at
            // (`docs/fineract/idempotency.md`, "What one call does").
            (404 | 405, _) | (_, Meaning::Unreadable) => Self::Refused {
                already_there: false,
                key: stored,
            },
            (_, Meaning::Rule) => Self::Refused {
                already_there: false,
                key: Key::Ended,
            },
        }
    }

    fn in_success(answer: &Answer, request: Option<&Request>) -> Self {
        let unclear = |reason_code| Self::Unclear {
            reason_code,
            outage: false,
        };
        let Some(result) = CommandResult::of(answer) else {
            return unclear("unreadable_success");
        };
        if result.awaits_checker() {
            Self::Pending
        } else if !result.names_resource() {
            unclear("success_without_id")
        } else if request.is_some_and(|request| is_about_another(&result, request)) {
            Self::AboutAnother
        } else {
            Self::Done
        }
    }

    /// A refusal that is not in Fineract's envelope: it never reached a command, or a proxy gave it.
    fn without_code(answer: &Answer) -> Self {
        let suspect = |reason_code, key| Self::Unready {
            scope: Scope::Deployment,
            reason_code,
            key,
        };
        match answer.status {
            401 => suspect("unauthenticated", Key::NotLookedAt),
            // A replay may have lost its body (`docs/fineract/idempotency.md`, "The body of a stored answer").
            _ if answer.cached => Self::Failed,
            // A tenant that is not known; but also any server that has lost the thread of a connection.
            400 => suspect("bad_request_without_code", Key::Unclear),
            // A firewall judges answers as well.
            403 => suspect("forbidden_without_code", Key::Unclear),
            404 | 405 => suspect("no_such_path", Key::NotLookedAt),
            503 => Self::Unclear {
                reason_code: "service_unavailable",
                outage: true,
            },
            _ => Self::Unclear {
                reason_code: "refused_without_code",
                outage: false,
            },
        }
    }
}
