//! The faults of the sandbox, and the requests that add them.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::fineract::WITH_EFFECT;
use fineract_gateway::domain::OperationType;

/// A fault of the sandbox that is played as a card.
#[derive(Clone, Copy, Debug)]
pub(super) struct SandboxFault {
    /// The sandbox's name of the fault.
    pub(super) name: &'static str,
    /// How many requests the fault hits.
    times: u32,
    /// The range of the delay, in milliseconds.
    delay: (u64, u64),
    /// Whether the fault hits every request for a while, including reads.
    is_total: bool,
    /// Whether a command that is stuck, or is answered with a 500, takes effect.
    pub(super) effect: bool,
    /// If not empty, the fault hits commands of one of these types. If empty, the fault hits any request, or commands
    /// of one random type.
    aims: &'static [OperationType],
}

/// Types for which Fineract executes a second command at any time, with a second effect.
const REPEATABLE: [OperationType; 1] = [OperationType::ClientUpdate];

/// Types for which Fineract refuses a second command under another key, because the effect already exists.
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

/// Every fault of the sandbox. If a command has not ended after 3 s, a gateway of `prove` reads Fineract. A late effect
/// may occur after this read has shown that there is no effect, and even after a second command under a new key.
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

/// A fault as it is requested from the sandbox.
#[derive(Debug)]
pub(super) struct RequestedFault {
    /// The entry for `POST /sandbox/faults`.
    pub(super) fault: Value,
    /// If the fault hits every request: the time after which the fault is removed.
    pub(super) lasts: Option<Duration>,
    /// The delay of an answer or effect.
    pub(super) delay: Duration,
}

impl SandboxFault {
    /// The name in the final table.
    pub(super) fn full_name(&self) -> String {
        let effect = if self.effect { WITH_EFFECT } else { "" };
        format!("{}{effect}", self.name)
    }

    /// The request for this fault. Chooses at random whether the fault hits any request or only commands of one type.
    pub(super) fn request(&self, rng: &mut Rng) -> RequestedFault {
        if self.is_total {
            return RequestedFault {
                fault: json!({ "fault": self.name, "times": 1_000_000 }),
                lasts: Some(Duration::from_millis(rng.u64(500..1_500))),
                delay: Duration::ZERO,
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
        RequestedFault {
            fault: json!({
                "fault": self.name,
                "times": self.times,
                "match": aim.map_or_else(|| json!({}), commands_of),
                "probability": aim.map_or(0.25, |_| 0.5),
                "effect": self.effect,
                "delay_ms": delay_ms,
            }),
            lasts: None,
            delay: Duration::from_millis(delay_ms),
        }
    }
}

/// The condition of a fault that matches the commands of this type.
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
