//! The ways in which a request goes wrong.

/// When a command that breaks takes effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    Never,
    /// Before it breaks.
    Before,
    /// When another key asks for the same, which meets what is done already.
    BeforeNextKey,
}

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// The connection dies before anything happens.
    ResetBefore,
    /// The connection dies after the commit, unanswered.
    ResetAfter,
    /// The answer is late.
    Slow,
    /// An exception: stored, replayed in another shape.
    Status500(Effect),
    /// A proxy's page in place of the answer.
    Status502After,
    /// Half an answer.
    TruncatedAfter,
    /// An answer that is no JSON.
    GarbageAfter,
    /// The command's row stays "running": 425 for ever, with or without the effect.
    Stuck {
        effect: bool,
    },
    /// Fineract's own retries used up: 409, stored.
    Conflict409,
    /// The nightly job holds the loan: 409, not stored.
    LoanLocked,
    /// A job forbids writes: 503, not stored.
    Scheduler503,
    Redirect,
    Unauthorized,
    Forbidden,
    /// The command waits for a checker.
    MakerChecker,
    /// The connection dies, the row stands, and the effect commits after the delay.
    LateEffect,
    /// The same, and until then the row shows the conflict that Fineract itself tries again after: a cached 409.
    ConflictPasses,
    /// The request is processed twice; the second answer is given.
    DeliveredTwice,
}

/// Its hits are of those that met it.
pub(super) const MET_LATER: Kind = Kind::Status500(Effect::BeforeNextKey);

/// The name of each, by which it is asked for.
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
    /// Whether it strikes commands only.
    pub(super) fn is_of_writes(self) -> bool {
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
