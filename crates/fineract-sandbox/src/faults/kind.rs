//! The kinds of faults.

/// For a command that is answered with a 500: whether and when the command takes effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    Never,
    /// Before the 500 is sent.
    Before,
    /// When the same command arrives under another key. The second command is executed after the first command has
    /// taken effect, and finds this effect.
    BeforeNextKey,
}

/// The misbehaviour that a fault causes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// The connection is cut before the request is processed.
    ResetBefore,
    /// The request is processed. Then the connection is cut, without an answer.
    ResetAfter,
    /// The request is processed. The answer is sent after the delay.
    Slow,
    /// A 500 that is stored. A repetition receives a 500 with another body.
    Status500(Effect),
    /// The request is processed. The answer is a 502 with the error page of a proxy.
    Status502After,
    /// The request is processed. Half of the answer's body is sent, and then the connection is cut.
    TruncatedAfter,
    /// The request is processed. The answer's body is not valid JSON.
    GarbageAfter,
    /// The command's record stays in the state "under processing", with or without an effect. The command and every
    /// repetition are answered with 425.
    Stuck { effect: bool },
    /// A 409 that is stored: Fineract's own retries have failed.
    Conflict409,
    /// A 409 that is not stored: the nightly job has locked the loan.
    LoanLocked,
    /// A 503 that is not stored: a scheduler job forbids writes.
    Scheduler503,
    /// A 302 to the HTTPS address.
    Redirect,
    /// A 401.
    Unauthorized,
    /// A 403 because of a missing permission.
    Forbidden,
    /// The command waits for a checker.
    MakerChecker,
    /// The command is recorded and the connection is cut. The effect is committed after the delay.
    LateEffect,
    /// As [`Self::LateEffect`], but until the effect is committed, a repetition is answered with a stored 409. Fineract
    /// stores this 409 for a short time between two of its own tries.
    ConflictPasses,
    /// The request is processed twice. The second answer is returned.
    DeliveredTwice,
}

/// For this kind of fault, a hit is counted only when a command under another key finds the late effect.
pub(super) const MET_LATER: Kind = Kind::Status500(Effect::BeforeNextKey);

/// The names of the kinds of faults in `POST /sandbox/faults`.
pub(super) const NAMES: [(&str, Kind); 19] = [
    ("reset_before", Kind::ResetBefore),
    ("reset_after", Kind::ResetAfter),
    ("slow", Kind::Slow),
    ("status_500", Kind::Status500(Effect::Never)),
    ("status_500_late", Kind::Status500(Effect::BeforeNextKey)),
    ("status_502_after", Kind::Status502After),
    ("truncated_after", Kind::TruncatedAfter),
    ("garbage_after", Kind::GarbageAfter),
    ("stuck", Kind::Stuck { effect: false }),
    ("conflict_409", Kind::Conflict409),
    ("loan_locked", Kind::LoanLocked),
    ("scheduler_503", Kind::Scheduler503),
    ("redirect", Kind::Redirect),
    ("unauthorized", Kind::Unauthorized),
    ("forbidden", Kind::Forbidden),
    ("maker_checker", Kind::MakerChecker),
    ("late_effect", Kind::LateEffect),
    ("conflict_passes", Kind::ConflictPasses),
    ("delivered_twice", Kind::DeliveredTwice),
];

impl Kind {
    /// Whether the fault hits only commands. Otherwise it also hits reads.
    pub(super) fn hits_commands_only(self) -> bool {
        match self {
            Self::Stuck { .. }
            | Self::Conflict409
            | Self::LoanLocked
            | Self::Scheduler503
            | Self::MakerChecker
            | Self::LateEffect
            | Self::ConflictPasses
            | Self::DeliveredTwice => true,
            Self::ResetBefore
            | Self::ResetAfter
            | Self::Slow
            | Self::Status500(_)
            | Self::Status502After
            | Self::TruncatedAfter
            | Self::GarbageAfter
            | Self::Redirect
            | Self::Unauthorized
            | Self::Forbidden => false,
        }
    }
}
