//! What goes wrong in a round: a deck of cards, of which each round plays two.

use fastrand::Rng;

use super::{
    checkers::Checker,
    encounters::{
        DELETES, ENCOUNTERS, Encounter, KEYS_IGNORED, KEYS_RENAMED, RENAMES, RENUMBERED, UNREADABLE,
    },
    fineract::OTHER_USER,
    sandbox_faults::{SANDBOX, SandboxFault, Told},
};
use fineract_gateway::domain::OperationType;

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
    /// Another process comes back for Fineract's, which ignores keys until it is mended.
    KeysLost,
    /// Nobody reads a talkative gateway's log while it works, or its reader goes away.
    Log {
        /// Which.
        is_closed: bool,
    },
    /// Somebody holds rows locked for longer than gateways wait for them.
    HoldRows,
    /// Another gateway on the same database is set to another Fineract.
    OtherFineract,
    /// Another gateway on the same database is set otherwise.
    SetOtherwise(Setting),
    /// Everything is put on hold, and lifted after a while.
    HoldAll,
    /// A newer gateway has left operations behind of a type that none knows.
    UnknownType,
    /// A fault of the sandbox strikes some requests.
    Sandbox(usize),
    /// Commands wait for such a checker.
    Checker(Checker),
    /// Somebody gets in the way of one client or loan: the back office, or Fineract with a late effect.
    Encounter(usize),
}

/// A setting that gateways on one database may have each for itself.
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

    /// What one more gateway is set to.
    pub(super) fn otherwise(self) -> (&'static str, String) {
        match self {
            Self::User => ("FINERACT_USER", OTHER_USER.to_owned()),
            Self::Lenders => ("LENDERS", "UGRO".to_owned()),
            Self::PaymentType => ("FINERACT_PAYMENT_TYPE", "Money Transfer".to_owned()),
        }
    }
}

/// An operation that is parked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parked<'a> {
    pub(super) operation_type: OperationType,
    pub(super) reason_code: &'a str,
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
            Self::WriteLate,
            Self::CrashPostgres,
            Self::CrashPostgres,
            Self::TerminateBackends,
            Self::SandboxAway,
            Self::SandboxRestart,
            Self::KeysLost,
            Self::Log { is_closed: false },
            Self::Log { is_closed: true },
            Self::HoldRows,
            Self::OtherFineract,
            Self::HoldAll,
            Self::UnknownType,
        ];
        deck.extend(Setting::ALL.map(Self::SetOtherwise));
        deck.extend(Checker::ALL.map(Self::Checker));
        deck.extend((0..SANDBOX.len()).map(Self::Sandbox));
        deck.extend((0..ENCOUNTERS.len()).map(Self::Encounter));
        deck
    }

    /// How the table names it.
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
            Self::HoldRows => "rows locked".to_owned(),
            Self::OtherFineract => "another Fineract".to_owned(),
            Self::SetOtherwise(Setting::User) => "another user".to_owned(),
            Self::SetOtherwise(Setting::Lenders) => "other lenders".to_owned(),
            Self::SetOtherwise(Setting::PaymentType) => "another payment type".to_owned(),
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

    /// The card of that name. `Err` names them all.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let deck = Self::deck();
        let card = deck.iter().copied().find(|card| card.name() == name);
        card.ok_or_else(|| {
            let mut names: Vec<String> = deck.into_iter().map(Self::name).collect();
            names.dedup();
            format!("no card has this name; the cards are {}", names.join(", "))
        })
    }

    /// The story that it is.
    pub(super) fn encounter(self) -> Option<&'static Encounter> {
        let Self::Encounter(index) = self else {
            return None;
        };
        ENCOUNTERS.get(index)
    }

    /// Whether it is the story of an operation that cannot be read about.
    pub(super) fn is_of_the_unreadable(self) -> bool {
        self.encounter()
            .is_some_and(|encounter| encounter.name == UNREADABLE)
    }

    /// Whether keys are ignored for a while.
    fn ignores_keys(self) -> bool {
        let is_of_keys = |encounter: &Encounter| {
            encounter.name == KEYS_IGNORED || encounter.name == KEYS_RENAMED
        };
        self == Self::KeysLost || self.encounter().is_some_and(is_of_keys)
    }

    /// What the sandbox is told for it.
    pub(super) fn sandbox_fault(self, rng: &mut Rng) -> Option<Told> {
        let Self::Sandbox(index) = self else {
            return None;
        };
        SANDBOX.get(index).map(|fault| fault.tell(rng))
    }

    /// Whether it leaves such an operation to a person.
    pub(super) fn may_park(self, parked: &Parked<'_>) -> bool {
        let reason_code = parked.reason_code;
        // Updates and undos get no new key while the first may still run. Nor is a refusal under a second
        // key the last word; but what is there is to be found.
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
                // An undo that was done, and answered as one that failed: nothing shows whose it was.
                "status_500" if fault.effect => {
                    reason_code == "undo_leaves_no_trace" && parked.has_effect
                }
                // Where the first answer died with its gateway, a stored conflict looks like one that runs.
                "conflict_409" => may_still_run,
                "unauthorized" => reason_code == "unauthenticated",
                "redirect" => reason_code == "redirected",
                _ => false,
            });
        }
        let is_gone = reason_code == "subject_is_gone" || reason_code == "absent_after_a_restart";
        // What was sent to a Fineract that ignored its key is not sent again where reading cannot tell.
        let is_keyless = is_undecided || reason_code == "undo_leaves_no_trace" || is_gone;
        if let Some(encounter) = self.encounter() {
            return match encounter.name {
                // A number that comes to mean another, or nothing, is left to a person.
                RENUMBERED => reason_code == "number_means_another" && !parked.has_effect,
                RENAMES => reason_code == "number_means_another",
                DELETES => is_gone,
                _ => self.ignores_keys() && is_keyless,
            };
        }
        // What is gone may have been gone with the old process' books.
        let is_deleted = parked.operation_type == OperationType::LoanDelete && is_gone;
        (self.ignores_keys() && is_keyless)
            // What was there when everything was put on hold is taken for what a restored database may have forgotten.
            || (self == Self::HoldAll && reason_code == "may_have_been_done")
            || (self == Self::SandboxRestart && (is_undecided || is_deleted))
            // Where the answer that told its number died with its gateway, nobody can tell what becomes of it, nor, once
            // it was approved, whose it is: it bears the checker's name. Release 1.10.1 answers then as if the database
            // had spoken.
            || (matches!(self, Self::Checker(_))
                && (is_undecided
                    || reason_code == "an_attempt_may_still_run"
                    || reason_code.contains("checker")
                    || reason_code == "database_spoke"))
    }
}
