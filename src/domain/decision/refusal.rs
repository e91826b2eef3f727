//! What a refusal means, given what came before it.

use super::{Answer, Decision, History, Meaning, Question, Scope, codes};

/// Decides about a 4xx, or a 503.
pub(super) fn read_refusal(answer: &Answer, history: &History<'_>) -> Decision {
    let Some(meaning) = codes::weigh(&answer.codes()) else {
        return without_code(answer);
    };
    match meaning {
        Meaning::PasswordExpired => Decision::Suspect {
            scope: Scope::Deployment,
            why: "password_expired",
        },
        Meaning::PermissionMissing => Decision::Suspect {
            scope: Scope::Type,
            why: "permission_missing",
        },
        Meaning::Locked => Decision::SameKey {
            why: "locked_in_fineract",
        },
        Meaning::ReadOnlyServer => Decision::SameKey {
            why: "read_only_server",
        },
        Meaning::Conflict | Meaning::Ambiguous => Decision::Read(Question::FailedInside),
        Meaning::LenderUnready => Decision::Suspect {
            scope: Scope::Lender,
            why: "lender_unready",
        },
        Meaning::AlreadyThere => {
            let uncached_resend = !answer.cached && history.resent_after_unknown();
            if history.other_key_unknown() || uncached_resend {
                Decision::Read(Question::AlreadyThere)
            } else {
                Decision::Refused
            }
        }
        Meaning::Rule => by_rule(answer, history),
    }
}

fn by_rule(answer: &Answer, history: &History<'_>) -> Decision {
    match answer.status {
        401 => Decision::Suspect {
            scope: Scope::Deployment,
            why: "unauthenticated",
        },
        // An external or numeric id is resolved before the key is looked at (`CONTRACT.md` 11.1).
        404 if history.may_still_run() => Decision::Read(Question::BeforeTheKey),
        _ if history.other_key_unknown() => Decision::Read(Question::AlreadyThere),
        _ => Decision::Refused,
    }
}

/// A refusal that is not in Fineract's envelope: it never reached a command.
fn without_code(answer: &Answer) -> Decision {
    match answer.status {
        401 => Decision::Suspect {
            scope: Scope::Deployment,
            why: "unauthenticated",
        },
        400 => Decision::Suspect {
            scope: Scope::Deployment,
            why: "bad_request_without_code",
        },
        403 => Decision::Suspect {
            scope: Scope::Deployment,
            why: "forbidden_without_code",
        },
        404 | 405 => Decision::Suspect {
            scope: Scope::Deployment,
            why: "no_such_path",
        },
        409 if !answer.cached => Decision::Read(Question::FailedInside),
        503 => Decision::SameKey {
            why: "service_unavailable",
        },
        _ => Decision::Park {
            why: "unclassified_answer",
        },
    }
}
