//! The sandbox's faults, and what it is told to have them strike.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::fineract::WITH_EFFECT;
use fineract_gateway::domain::OperationType;

/// A fault of the sandbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct SandboxFault {
    /// By the sandbox's own word.
    pub(super) name: &'static str,
    /// How many requests it strikes.
    times: u32,
    /// Milliseconds.
    delay: (u64, u64),
    /// Whether it strikes everything for a while, reads as well.
    is_total: bool,
    /// Whether a command that is stuck, or ends in a 500, has its effect.
    pub(super) effect: bool,
    /// The commands of one of these types; none: any's, or one type's.
    aims: &'static [OperationType],
}

/// What nothing in Fineract keeps from taking effect twice, however late.
const REPEATABLE: [OperationType; 1] = [OperationType::ClientUpdate];

/// What Fineract refuses to do twice: a second key meets what is there already.
const ONCE_ONLY: [OperationType; 5] = [
    OperationType::ClientCreate,
    OperationType::LoanCreate,
    OperationType::LoanApprove,
    OperationType::LoanDisburse,
    OperationType::LoanRepayment,
];

const fn some(name: &'static str, times: u32) -> SandboxFault {
    SandboxFault {
        name,
        times,
        delay: (0, 1),
        is_total: false,
        effect: false,
        aims: &[],
    }
}

const fn late(name: &'static str, times: u32, delay: (u64, u64)) -> SandboxFault {
    SandboxFault {
        delay,
        ..some(name, times)
    }
}

/// Every fault of the sandbox. A late effect may come after a GET has said "absent" (from 3 s on), and after
/// a second command under a new key.
pub(super) const SANDBOX: [SandboxFault; 20] = [
    some("reset_before", 8),
    some("reset_after", 8),
    late("slow", 8, (1_500, 3_500)),
    some("status_500", 3),
    SandboxFault {
        effect: true,
        ..some("status_500", 4)
    },
    SandboxFault {
        aims: &ONCE_ONLY,
        ..some("status_500_late", 6)
    },
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
    late("late_effect", 3, (3_500, 12_000)),
    SandboxFault {
        aims: &REPEATABLE,
        ..late("conflict_passes", 8, (1_500, 5_000))
    },
    some("delivered_twice", 8),
];

/// What the sandbox is told.
#[derive(Debug)]
pub(super) struct Told {
    /// The fault.
    pub(super) fault: Value,
    /// After how long it is taken back, where it strikes everything.
    pub(super) lasts: Option<Duration>,
    /// For how long it holds an answer or an effect back.
    pub(super) holds_back: Duration,
}

impl SandboxFault {
    /// The name in the table.
    pub(super) fn full_name(&self) -> String {
        let effect = if self.effect { WITH_EFFECT } else { "" };
        format!("{}{effect}", self.name)
    }

    /// One time it strikes anybody, another time commands of one type only.
    pub(super) fn tell(&self, rng: &mut Rng) -> Told {
        if self.is_total {
            return Told {
                fault: json!({ "fault": self.name, "times": 1_000_000 }),
                lasts: Some(Duration::from_millis(rng.u64(500..1_500))),
                holds_back: Duration::ZERO,
            };
        }
        let (shortest, longest) = self.delay;
        let delay_ms = rng.u64(shortest..longest);
        let aim = if self.aims.is_empty() {
            rng.choice(OperationType::ALL.iter().copied())
                .filter(|_| rng.bool())
        } else {
            rng.choice(self.aims.iter().copied())
        };
        Told {
            fault: json!({
                "fault": self.name,
                "times": self.times,
                "match": aim.map_or_else(|| json!({}), commands_of),
                "probability": aim.map_or(0.25, |_| 0.5),
                "effect": self.effect,
                "delay_ms": delay_ms,
            }),
            lasts: None,
            holds_back: Duration::from_millis(delay_ms),
        }
    }
}

/// What the commands of a type look like.
pub(super) fn commands_of(operation_type: OperationType) -> Value {
    let (method, path, command) = match operation_type {
        OperationType::ClientCreate => ("POST", "/clients", ""),
        OperationType::ClientUpdate => ("PUT", "/clients", ""),
        OperationType::LoanCreate => ("POST", "/loans", ""),
        OperationType::LoanUpdate => ("PUT", "/loans", ""),
        OperationType::LoanApprove => ("POST", "/loans", "approve"),
        OperationType::LoanDisburse => ("POST", "/loans", "disburse"),
        OperationType::LoanDelete => ("DELETE", "/loans", ""),
        OperationType::LoanRepayment => ("POST", "/transactions", "repayment"),
        OperationType::LoanReject => ("POST", "/loans", "reject"),
        OperationType::LoanWithdraw => ("POST", "/loans", "withdrawnByApplicant"),
        OperationType::LoanUndoApproval => ("POST", "/loans", "undoapproval"),
        OperationType::LoanUndoDisbursal => ("POST", "/loans", "undodisbursal"),
    };
    json!({ "method": method, "path": path, "command": command })
}
