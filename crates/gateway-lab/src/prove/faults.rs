//! The deck of cards. Each card is a kind of disturbance, and a round plays two cards.

use fastrand::Rng;

use super::{
    checkers::Checker,
    encounters::{
        DELETES, ENCOUNTERS, Encounter, KEYS_IGNORED, KEYS_RENAMED, RENAMES, RENUMBERED, UNREADABLE,
    },
    fineract::OTHER_USER,
    sandbox_faults::{RequestedFault, SANDBOX, SandboxFault},
};
use fineract_gateway::domain::OperationType;

/// A kind of disturbance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Card {
    /// A gateway is killed by SIGKILL at a random moment.
    Kill,
    /// A gateway is shut down by SIGTERM under load.
    Shutdown,
    /// A gateway is stopped by SIGSTOP at a random moment. It stays stopped for longer than its lease.
    Stop,
    /// A gateway stops itself at a fault point. It stays stopped for longer than its lease.
    StopAtPoint,
    /// A gateway stops itself before it writes that an operation continues under a new key. When it is resumed and
    /// writes this, another gateway already runs the command.
    WriteLate,
    /// Postgres crashes and is started again.
    CrashPostgres,
    /// Random connections to Postgres are terminated.
    TerminateBackends,
    /// Fineract refuses connections for a while.
    SandboxAway,
    /// Fineract is restarted. The commands that ran in it are lost; its records stay.
    SandboxRestart,
    /// Fineract is restarted and ignores idempotency keys until the next restart.
    KeysLost,
    /// Nobody reads the debug log of a gateway, or the reader has closed the pipe of the log.
    Log {
        /// Whether the pipe is closed.
        is_closed: bool,
    },
    /// Another session keeps rows locked for longer than gateways wait for them.
    LockRows,
    /// Another gateway on the same database uses another Fineract.
    OtherFineract,
    /// Another gateway on the same database has a different setting.
    OtherSetting(Setting),
    /// Everything is put on hold, and released after a while.
    HoldAll,
    /// The database contains operations of a type that no gateway of the round knows, as after a rollback.
    UnknownType,
    /// A fault of the sandbox hits some requests. The number is its index in [`SANDBOX`].
    Sandbox(usize),
    /// Commands wait for this checker.
    Checker(Checker),
    /// An encounter. The number is its index in [`ENCOUNTERS`].
    Encounter(usize),
}

/// A setting whose values may differ between gateways on one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Setting {
    /// `FINERACT_USER`.
    User,
    /// `LENDERS`.
    Lenders,
    /// `FINERACT_PAYMENT_TYPE`.
    PaymentType,
}

impl Setting {
    const ALL: [Self; 3] = [Self::User, Self::Lenders, Self::PaymentType];

    /// The environment variable and its value for the additional gateway.
    pub(super) fn other_value(self) -> (&'static str, String) {
        match self {
            Self::User => ("FINERACT_USER", OTHER_USER.to_owned()),
            Self::Lenders => ("LENDERS", "UGRO".to_owned()),
            Self::PaymentType => ("FINERACT_PAYMENT_TYPE", "Money Transfer".to_owned()),
        }
    }
}

/// A parked operation, with the fields that decide whether a card may cause the parking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parked<'a> {
    pub(super) operation_type: OperationType,
    pub(super) reason_code: &'a str,
    pub(super) has_effect: bool,
}

impl Card {
    /// The whole deck in a fixed order. Some cards are in the deck twice, so that they are played more often.
    pub(super) fn deck() -> Vec<Self> {
        let mut deck = vec![
            Self::Kill,
            Self::Kill,
            Self::Shutdown,
            Self::Stop,
            Self::StopAtPoint,
            Self::StopAtPoint,
            Self::WriteLate,
            Self::WriteLate,
            Self::CrashPostgres,
            Self::CrashPostgres,
            Self::TerminateBackends,
            Self::SandboxAway,
            Self::SandboxRestart,
            Self::KeysLost,
            Self::Log { is_closed: false },
            Self::Log { is_closed: true },
            Self::LockRows,
            Self::OtherFineract,
            Self::HoldAll,
            Self::UnknownType,
        ];
        deck.extend(Setting::ALL.map(Self::OtherSetting));
        deck.extend(Checker::ALL.map(Self::Checker));
        deck.extend((0..SANDBOX.len()).map(Self::Sandbox));
        deck.extend((0..ENCOUNTERS.len()).map(Self::Encounter));
        deck
    }

    /// The name in the final table, which is also the name for `--card`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Kill => "kill -9".to_owned(),
            Self::Shutdown => "SIGTERM under load".to_owned(),
            Self::Stop => "SIGSTOP, SIGCONT".to_owned(),
            Self::StopAtPoint => "SIGSTOP at a point".to_owned(),
            Self::WriteLate => "a zombie completes late".to_owned(),
            Self::CrashPostgres => "Postgres crashes".to_owned(),
            Self::TerminateBackends => "backends terminated".to_owned(),
            Self::SandboxAway => "Fineract away".to_owned(),
            Self::SandboxRestart => "Fineract restarted".to_owned(),
            Self::KeysLost => "keys lost at a restart".to_owned(),
            Self::Log { is_closed: false } => "stderr stalled".to_owned(),
            Self::Log { is_closed: true } => "stderr dead".to_owned(),
            Self::LockRows => "rows locked".to_owned(),
            Self::OtherFineract => "another Fineract".to_owned(),
            Self::OtherSetting(Setting::User) => "another user".to_owned(),
            Self::OtherSetting(Setting::Lenders) => "other lenders".to_owned(),
            Self::OtherSetting(Setting::PaymentType) => "another payment type".to_owned(),
            Self::HoldAll => "everything on hold".to_owned(),
            Self::UnknownType => "an unknown type".to_owned(),
            Self::Sandbox(index) => SANDBOX
                .get(index)
                .map_or_else(String::new, SandboxFault::full_name),
            Self::Checker(checker) => checker.name().to_owned(),
            Self::Encounter(index) => ENCOUNTERS
                .get(index)
                .map_or_else(String::new, |encounter| encounter.name.to_owned()),
        }
    }

    /// The card of this name. The error lists the names of all cards.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let deck = Self::deck();
        let card = deck.iter().copied().find(|card| card.name() == name);
        card.ok_or_else(|| {
            let mut names: Vec<String> = deck.into_iter().map(Self::name).collect();
            names.dedup();
            format!("no card has this name; the cards are {}", names.join(", "))
        })
    }

    /// The encounter of this card, if the card has one.
    pub(super) fn encounter(self) -> Option<&'static Encounter> {
        let Self::Encounter(index) = self else {
            return None;
        };
        ENCOUNTERS.get(index)
    }

    /// Whether this is the encounter [`UNREADABLE`].
    pub(super) fn is_unreadable_encounter(self) -> bool {
        self.encounter()
            .is_some_and(|encounter| encounter.name == UNREADABLE)
    }

    /// Whether Fineract ignores idempotency keys for a while.
    fn ignores_keys(self) -> bool {
        let is_of_keys = |encounter: &Encounter| {
            encounter.name == KEYS_IGNORED || encounter.name == KEYS_RENAMED
        };
        self == Self::KeysLost || self.encounter().is_some_and(is_of_keys)
    }

    /// The request to the sandbox for this card, if the card is a fault of the sandbox.
    pub(super) fn sandbox_fault(self, rng: &mut Rng) -> Option<RequestedFault> {
        let Self::Sandbox(index) = self else {
            return None;
        };
        SANDBOX.get(index).map(|fault| fault.request(rng))
    }

    /// Whether this card may cause the gateway to park this operation.
    pub(super) fn may_park(self, parked: &Parked<'_>) -> bool {
        let reason_code = parked.reason_code;
        // As long as the first command may still take effect, the gateway uses no new key for an update or undo. During
        // this time, a refusal under a second key does not end an operation either. So the operation may be parked,
        // except if it had its effect: the gateway must find an effect.
        let may_still_run = reason_code == "an_attempt_may_still_run" && !parked.has_effect;
        let is_undecided = matches!(
            parked.operation_type,
            OperationType::ClientUpdate
                | OperationType::LoanUpdate
                | OperationType::LoanUndoApproval
                | OperationType::LoanUndoDisbursal
        ) || may_still_run;
        if let Self::Sandbox(index) = self {
            return SANDBOX.get(index).is_some_and(|fault| match fault.name {
                "stuck" | "late_effect" => is_undecided,
                // An undo took effect, but Fineract answered that it failed. Nothing in Fineract shows whose undo took
                // effect.
                "status_500" if fault.effect => {
                    reason_code == "undo_leaves_no_trace" && parked.has_effect
                }
                // If a gateway died with the first answer, the next gateway gets the stored 409. A stored 409 looks as
                // if the command were still running.
                "conflict_409" => may_still_run,
                "unauthorized" => reason_code == "unauthenticated",
                "redirect" => reason_code == "redirected",
                _ => false,
            });
        }
        let is_gone = reason_code == "subject_is_gone" || reason_code == "absent_after_a_restart";
        // If Fineract ignored the key of a command, the gateway repeats the command only if it can read whether the
        // command had an effect.
        let is_keyless = is_undecided || reason_code == "undo_leaves_no_trace" || is_gone;
        if let Some(encounter) = self.encounter() {
            return match encounter.name {
                // If a number now refers to another object, or to no object, the gateway parks the operation.
                RENUMBERED => reason_code == "number_means_another" && !parked.has_effect,
                RENAMES => reason_code == "number_means_another",
                DELETES => is_gone,
                _ => self.ignores_keys() && is_keyless,
            };
        }
        // After a restart, the absence of the loan no longer proves that this delete removed the loan.
        let is_deleted = parked.operation_type == OperationType::LoanDelete && is_gone;
        (self.ignores_keys() && is_keyless)
            // An operation that existed when everything was put on hold may have been executed before. A restored
            // database may have forgotten that execution.
            || (self == Self::HoldAll && reason_code == "may_have_been_done")
            || (self == Self::SandboxRestart && (is_undecided || is_deleted))
            // A gateway may have died with the answer that contained the command's number. Then no gateway can learn
            // whether the command was approved. After an approval, no gateway can learn whose effect it is either,
            // because the record has the checker's name. Release 1.10.1 answers the key of a command that waits for a
            // checker, or was rejected, with an error of its database (`docs/fineract/release-1.10.1.md`).
            || (matches!(self, Self::Checker(_))
                && (is_undecided
                    || reason_code == "an_attempt_may_still_run"
                    || reason_code.contains("checker")
                    || reason_code == "database_spoke"))
    }
}
