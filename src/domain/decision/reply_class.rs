//! Classifies a single reply by its status, its codes, and whether it is a stored answer.

use super::success::{CommandResult, is_about_another};
use crate::domain::{
    Answer, Failure, Reply, Request,
    error_codes::{self, Meaning},
};

/// The scope that may be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything, for example because of wrong credentials, a wrong tenant or a wrong address.
    Deployment,
    /// One operation type, because a permission, or something that all its operations need, is missing.
    Type,
    /// One lender, because its product, or something that the product needs, is missing.
    Lender,
}

/// What a refusal shows about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The command has ended under the key. Fineract will return the same answer again.
    Ended,
    /// Fineract did not check the key. The state of earlier attempts under the key has not changed.
    NotChecked,
    /// The command may have been executed nevertheless.
    Unclear,
}

/// The class of a single reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyClass {
    /// Nothing was sent.
    NotSent,
    /// The command succeeded.
    Done,
    /// Fineract executed the command and rolled it back until a checker approves it.
    Pending,
    /// The success is about another client or loan than the request.
    AboutAnother,
    /// An earlier attempt under the key has not ended, or the server that ran it died. Fineract executed nothing for
    /// this request. Contains the reason code.
    Running(&'static str),
    /// The command may have been executed, or may still be running.
    Unclear {
        /// The stable code of the reason why the result is unknown.
        reason_code: &'static str,
        /// Whether Fineract as a whole may be unavailable.
        outage: bool,
    },
    /// The command ended in a stored failure that does not show whether there was an effect.
    Failed,
    /// The command ended without an effect, because other requests wrote at the same time in each of Fineract's three
    /// tries.
    Conflicted,
    /// Fineract refused the command.
    Refused {
        /// Whether Fineract refused because the object exists already, or because the object's state has changed.
        already_there: bool,
        /// What the refusal shows about the key.
        key: Key,
    },
    /// Something has to be set up first.
    Unready {
        /// The scope for which something is missing.
        scope: Scope,
        /// The stable code of what is missing.
        reason_code: &'static str,
        /// What the answer shows about the key.
        key: Key,
    },
    /// Fineract does not accept the command at the moment, and did not check the key.
    NotNow {
        /// The stable code of the reason.
        reason_code: &'static str,
        /// Whether Fineract as a whole may be unavailable.
        outage: bool,
    },
    /// Neither Fineract nor a proxy is known to give this answer.
    Unclassified,
}

impl ReplyClass {
    /// Classifies a reply; `None` means that there is no reply, or none yet.
    pub(super) fn of(reply: Option<&Reply>, request: Option<&Request>) -> Self {
        let unclear = |reason_code| Self::Unclear {
            reason_code,
            outage: true,
        };
        match reply {
            None => unclear("no_answer_kept"),
            Some(Reply::Failure(Failure::NotSent | Failure::NotConnected)) => Self::NotSent,
            Some(Reply::Failure(Failure::TimedOut)) => unclear("answer_timed_out"),
            Some(Reply::Failure(Failure::Closed)) => unclear("connection_closed"),
            Some(Reply::Answer(answer)) => Self::in_answer(answer, request),
        }
    }

    fn in_answer(answer: &Answer, request: Option<&Request>) -> Self {
        match answer.status {
            200 => Self::in_success(answer, request),
            // The body of this success was lost on the way.
            201..=299 => Self::Unclear {
                reason_code: "unreadable_success",
                outage: false,
            },
            300..=399 => Self::Unready {
                scope: Scope::Deployment,
                reason_code: "redirected",
                key: Key::NotChecked,
            },
            425 => Self::Running("still_running"),
            409 if answer.cached => Self::Running("between_retries"),
            429 => Self::NotNow {
                reason_code: "too_many_requests",
                outage: true,
            },
            // A stored 500: the command's handler failed.
            500 if answer.cached => Self::Failed,
            // The handler failed, or a filter failed before the key was checked, or the result could not be stored
            // after the effect. Only sending the key again shows which of the three happened.
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
            Key::NotChecked
        };
        let unready = |scope, reason_code, key| Self::Unready {
            scope,
            reason_code,
            key,
        };
        match (answer.status, meaning) {
            (401, _) => unready(Scope::Deployment, "unauthenticated", Key::NotChecked),
            (_, Meaning::PasswordExpired) => {
                unready(Scope::Deployment, "password_expired", Key::NotChecked)
            }
            (409, Meaning::Conflict) => Self::Conflicted,
            // Any other 409 means a lock on the loan that no user may override; its code is
            // `error.msg.invalid.request.body` (`docs/fineract/commands.md`, "Errors without the envelope").
            (409, _) | (_, Meaning::Locked) => Self::NotNow {
                reason_code: "locked_in_fineract",
                outage: false,
            },
            (_, Meaning::ReadOnlyServer) => Self::NotNow {
                reason_code: "read_only_server",
                outage: true,
            },
            // The command's handler may also give this answer, for example because an active client needs another
            // permission. In that case, Fineract stores the answer.
            (_, Meaning::PermissionMissing) => unready(Scope::Type, "permission_missing", stored),
            (_, Meaning::LenderUnready) => unready(Scope::Lender, "lender_unready", stored),
            (_, Meaning::OfficeMissing) => unready(Scope::Type, "office_missing", stored),
            (_, Meaning::PaymentTypeMissing) => {
                unready(Scope::Type, "payment_type_missing", stored)
            }
            (_, Meaning::Ambiguous | Meaning::Conflict) if answer.cached => Self::Failed,
            // Up to 1.10.1 this also means that another attempt under the key is running
            // (`docs/fineract/release-1.10.1.md`, "Answers under a key").
            (_, Meaning::Ambiguous | Meaning::Conflict) => Self::Unclear {
                reason_code: "database_spoke",
                outage: false,
            },
            (_, Meaning::AlreadyThere) => Self::Refused {
                already_there: true,
                key: Key::Ended,
            },
            // Fineract parses an external id, the path and the JSON before it checks the key
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

    /// Classifies a refusal without Fineract's envelope: the request did not reach a command, or a proxy sent the
    /// answer.
    fn without_code(answer: &Answer) -> Self {
        let suspect = |reason_code, key| Self::Unready {
            scope: Scope::Deployment,
            reason_code,
            key,
        };
        match answer.status {
            401 => suspect("unauthenticated", Key::NotChecked),
            // The body of a stored answer may be lost (`docs/fineract/idempotency.md`, "The body of a stored
            // answer").
            _ if answer.cached => Self::Failed,
            // The tenant is unknown. But any server also gives this answer if it cannot parse what arrives on a
            // connection.
            400 => suspect("bad_request_without_code", Key::Unclear),
            // A firewall also inspects answers, so the command may have been executed.
            403 => suspect("forbidden_without_code", Key::Unclear),
            404 | 405 => suspect("no_such_path", Key::NotChecked),
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
