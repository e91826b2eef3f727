//! What goes wrong in a round: a deck of cards, of which each round plays two.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{fineract::WITH_EFFECT, other_writer, story::Step};
use crate::domain::OperationType;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Card {
    /// `kill -9` of a gateway at a random instant.
    Kill,
    /// SIGTERM of a gateway under load.
    Shutdown,
    /// SIGSTOP of a gateway for longer than its lease, at a random instant.
    Stop,
    /// A gateway stops itself at a point, for longer than its lease.
    StopAtPoint,
    /// A gateway stops itself before it writes "under a new key", and writes it while that runs elsewhere.
    WriteLate,
    /// Postgres crashes and comes back.
    CrashPostgres,
    /// Connections to Postgres are terminated, whichever they are.
    TerminateBackends,
    /// Fineract refuses connections for a while.
    SandboxAway,
    /// Fineract's process is started anew: what ran there is gone, its rows stay.
    SandboxRestart,
    /// A fault of the sandbox strikes some requests.
    Sandbox(usize),
    /// Commands wait for a checker, who rejects or approves them.
    Checker {
        /// Which.
        approves: bool,
    },
    /// The back office pays, renames, deletes or re-creates what we work on.
    BackOffice(usize),
}

/// A fault of the sandbox.
#[derive(Clone, Copy, Debug)]
struct SandboxFault {
    name: &'static str,
    /// How many requests it strikes.
    times: u32,
    /// Milliseconds.
    delay: (u64, u64),
    /// Whether it strikes everything for a while, reads as well.
    is_total: bool,
    /// Whether a stuck command has its effect.
    effect: bool,
}

const fn some(name: &'static str, times: u32) -> SandboxFault {
    SandboxFault {
        name,
        times,
        delay: (0, 1),
        is_total: false,
        effect: false,
    }
}

const fn late(name: &'static str, times: u32, delay: (u64, u64)) -> SandboxFault {
    SandboxFault {
        delay,
        ..some(name, times)
    }
}

/// Every fault of the sandbox. An effect that is late comes after a GET has said "absent" (after 3 s).
const SANDBOX: [SandboxFault; 18] = [
    some("reset_before", 8),
    some("reset_after", 8),
    late("slow", 8, (1_500, 3_500)),
    some("status_500", 3),
    some("status_502_after", 8),
    some("truncated_after", 8),
    some("garbage_after", 8),
    some("stuck", 3),
    SandboxFault {
        effect: true,
        ..some("stuck", 3)
    },
    some("conflict_409", 3),
    some("loan_locked", 6),
    some("scheduler_503", 6),
    SandboxFault {
        is_total: true,
        ..some("redirect", 0)
    },
    SandboxFault {
        is_total: true,
        ..some("unauthorized", 0)
    },
    some("forbidden", 2),
    late("late_effect", 3, (3_500, 7_000)),
    late("conflict_passes", 4, (1_500, 5_000)),
    some("delivered_twice", 8),
];

/// A story that needs the back office, by the ids of a client and a loan.
type Plot = fn(&str, &str) -> Vec<Step>;

const BACK_OFFICE: [(&str, Plot); 4] = [
    ("pays", other_writer::pays),
    ("renames", other_writer::renames),
    ("deletes", other_writer::deletes),
    ("re-creates", other_writer::recreates),
];

/// An operation that is parked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parked<'a> {
    pub(super) operation_type: OperationType,
    pub(super) why: &'a str,
    pub(super) has_effect: bool,
}

impl Card {
    /// The whole deck, unshuffled.
    pub(super) fn deck() -> Vec<Self> {
        let mut deck = vec![
            Self::Kill,
            Self::Kill,
            Self::Shutdown,
            Self::Stop,
            Self::StopAtPoint,
            Self::StopAtPoint,
            Self::WriteLate,
            Self::CrashPostgres,
            Self::CrashPostgres,
            Self::TerminateBackends,
            Self::SandboxAway,
            Self::SandboxRestart,
            Self::Checker { approves: false },
            Self::Checker { approves: true },
        ];
        deck.extend((0..SANDBOX.len()).map(Self::Sandbox));
        deck.extend((0..BACK_OFFICE.len()).map(Self::BackOffice));
        deck
    }

    /// How the table names it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Kill => "kill -9".to_owned(),
            Self::Shutdown => "SIGTERM under load".to_owned(),
            Self::Stop => "SIGSTOP, SIGCONT".to_owned(),
            Self::StopAtPoint => "SIGSTOP at a point".to_owned(),
            Self::WriteLate => "a zombie settles late".to_owned(),
            Self::CrashPostgres => "Postgres crashes".to_owned(),
            Self::TerminateBackends => "backends terminated".to_owned(),
            Self::SandboxAway => "Fineract away".to_owned(),
            Self::SandboxRestart => "Fineract restarted".to_owned(),
            Self::Sandbox(index) => SANDBOX.get(index).map_or_else(String::new, |fault| {
                let effect = if fault.effect { WITH_EFFECT } else { "" };
                format!("{}{effect}", fault.name)
            }),
            Self::Checker { approves: false } => "a checker rejects".to_owned(),
            Self::Checker { approves: true } => "a checker approves".to_owned(),
            Self::BackOffice(index) => BACK_OFFICE
                .get(index)
                .map_or_else(String::new, |(deed, _)| format!("another writer {deed}")),
        }
    }

    /// The story that it needs.
    pub(super) fn story(self) -> Option<Plot> {
        let Self::BackOffice(index) = self else {
            return None;
        };
        BACK_OFFICE.get(index).map(|(_, plot)| *plot)
    }

    /// The fault that the sandbox gets for it, and for how long where it strikes everything.
    pub(super) fn sandbox_fault(self, rng: &mut Rng) -> Option<(Value, Option<Duration>)> {
        let Self::Sandbox(index) = self else {
            return None;
        };
        let fault = SANDBOX.get(index)?;
        if fault.is_total {
            let lasts = Duration::from_millis(rng.u64(500..1_500));
            let json = json!({ "fault": fault.name, "times": 1_000_000 });
            return Some((json, Some(lasts)));
        }
        let (shortest, longest) = fault.delay;
        let json = json!({
            "fault": fault.name, "times": fault.times, "probability": 0.25, "effect": fault.effect,
            "delay_ms": rng.u64(shortest..longest),
        });
        Some((json, None))
    }

    /// Whether it leaves such an operation to a person.
    pub(super) fn may_park(self, parked: &Parked<'_>) -> bool {
        let why = parked.why;
        // An update gets no new key while the first may still run. Nor is a refusal under a second key the
        // last word; but what is there is to be found.
        let is_undecided = matches!(
            parked.operation_type,
            OperationType::ClientUpdate | OperationType::LoanUpdate
        ) || (why == "an_attempt_may_still_run" && !parked.has_effect);
        if let Self::Sandbox(index) = self {
            return SANDBOX.get(index).is_some_and(|fault| match fault.name {
                "stuck" | "late_effect" => is_undecided,
                "unauthorized" => why == "unauthenticated",
                "redirect" => why == "redirected",
                _ => false,
            });
        }
        (self == Self::SandboxRestart && is_undecided)
            || (matches!(self, Self::Checker { .. }) && why.contains("checker"))
    }
}
