//! The kinds of faults.

/// When a command that is answered with a 500 takes effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    Never,
    /// Before it is answered.
    Before,
    /// Just before the same command arrives under another key, which then finds the effect.
    BeforeNextKey,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// The connection is cut before the request is processed.
    ResetBefore,
    /// The connection is cut after the commit, without an answer.
    ResetAfter,
    /// The answer is delayed.
    Slow,
    /// An exception, which is stored and returned in another form for a repetition.
    Status500(Effect),
    /// A proxy's error page instead of the answer.
    Status502After,
    /// Half of the answer.
    TruncatedAfter,
    /// An answer that is not JSON.
    GarbageAfter,
    /// The command's record stays in the state "running", with or without an effect: every repetition is answered with
    /// 425.
    Stuck {
        effect: bool,
    },
    /// Fineract has exhausted its own retries: a stored 409.
    Conflict409,
    /// The nightly job has locked the loan: a 409 that is not stored.
    LoanLocked,
    /// A job forbids writes: a 503 that is not stored.
    Scheduler503,
    Redirect,
    Unauthorized,
    Forbidden,
    /// The command waits for a checker.
    MakerChecker,
    /// The connection is cut, the command is recorded, and its effect commits after the delay.
    LateEffect,
    /// The same, but until then the record contains a conflict after which Fineract itself tries again: a cached 409.
    ConflictPasses,
    /// The request is processed twice. The second answer is returned.
    DeliveredTwice,
}

/// The kind of fault whose hits count the commands that find its late effect.
pub(super) const MET_LATER: Kind = Kind::Status500(Effect::BeforeNextKey);

/// The names of the kinds in a request to add a fault.
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
    /// Whether it hits only commands, and no reads.
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
