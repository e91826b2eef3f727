//! Operations that wait for a checker in Fineract (`docs/fineract/checkers.md`).

use std::time::Duration;

use super::{
    backoff,
    case::Case,
    conclude::{Conclusion, refused_unsent},
    evidence::reason,
    runner::Runner,
};
use crate::{
    domain::decision::{Audit, Finding, UNSEEN},
    fineract::ReadFailure,
    operations::Evidence,
    store::{Claimed, End, Verdict},
};

/// Why an operation waits whose command Fineract has put before a checker.
const AWAITING: &str = "awaiting_checker";

/// Why a person has to decide whether a command was rejected, or carried out all the same.
const UNTOLD: &str = "evidence_cannot_tell";

/// How long a checker is given before it is looked at again.
const GIVEN: Duration = Duration::from_mins(1);
/// The longest time for which the key of a command that nobody has checked is not asked.
const LONGEST_UNASKED: Duration = Duration::from_hours(1);

impl Runner {
    /// What is known without sending anything: a success that came late, an operator's word, or that a checker
    /// has to be waited for. `Ok`: the command may be sent; with an audit, to hear what has become of it.
    pub(super) async fn known_already(&self, case: Case<'_>) -> Result<Option<Audit>, Conclusion> {
        if case.history().success().is_some() {
            Err(self.succeeded(case).await)
        } else if let Some(resolution) = case.claimed.resolution {
            self.resolve(case, resolution).await.map(Some)
        } else if case.history().awaits_checker() {
            self.ask_checker(case).await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// Sees what the checker has done. `Ok`: the key is to be asked, which executes nothing; where nothing
    /// can be seen, only for an operator, since a command that was deleted is put up again by it.
    async fn ask_checker(&self, case: Case<'_>) -> Result<Audit, Conclusion> {
        match self.audit(case).await? {
            Audit::Checked => Ok(Audit::Checked),
            Audit::Unchecked if self.is_to_be_asked(case) => Ok(Audit::Unchecked),
            Audit::Unchecked => Err(self.await_checker(case.claimed)),
            Audit::Unseen if is_retried(case) => Ok(Audit::Unseen),
            Audit::Unseen => Err(self.unseen(case).await),
        }
    }

    /// What Fineract shows of the command that waits. `Err`: Fineract does not answer.
    pub(super) async fn audit(&self, case: Case<'_>) -> Result<Audit, Conclusion> {
        self.fineract.note_checker();
        let history = case.history();
        let number = case.attempts.last().map(|last| last.key_number);
        let command = history
            .pending_command()
            // Another key would put up another command.
            .filter(|_| number == Some(case.claimed.key_number));
        let Some(command) = command else {
            return Ok(Audit::Unseen);
        };
        match self.fineract.audited(command).await {
            Ok(audited) => Ok(history.audit(&audited, &case.users(self))),
            Err(ReadFailure::Refused(_) | ReadFailure::Unreadable(_) | ReadFailure::Missing(_)) => {
                Ok(Audit::Unseen)
            }
            Err(ReadFailure::NoAnswer(_)) => {
                Err(self.again_or_park(case.claimed, "evidence_unread", true, None))
            }
        }
    }

    /// Whether the key of a command that nobody has checked is to be asked: an approval that Fineract refused
    /// leaves it so. Ever more seldom, for each asking keeps Fineract busy for three seconds.
    fn is_to_be_asked(&self, case: Case<'_>) -> bool {
        let waiting = case.history().waiting_for_checker();
        waiting.is_some_and(|(put_up, asked)| {
            asked >= (put_up / 2).clamp(self.checkers_time(), LONGEST_UNASKED)
        })
    }

    /// Nobody can see whether it still waits, and its key must not be asked: what is there decides, or at
    /// last a person.
    async fn unseen(&self, case: Case<'_>) -> Conclusion {
        match self.find(case).await {
            Ok((Finding::Ours, evidence)) => self.succeeded_by(case, evidence).await,
            Ok((Finding::NotOurs | Finding::Absent | Finding::CannotTell, _)) => {
                let claimed = case.claimed;
                let delay = backoff::delay(claimed.retrying_for, Some(self.checkers_time()));
                self.retry_or_park(claimed, UNSEEN, delay, false)
            }
            Err(conclusion) => conclusion,
        }
    }

    /// Ends it with the success that was read.
    pub(super) async fn succeeded_by(&self, case: Case<'_>, evidence: Evidence) -> Conclusion {
        let Evidence::Ours(body) = evidence else {
            return Conclusion::park(UNTOLD);
        };
        self.look_after(case).await;
        let learned = case
            .history()
            .request()
            .map(|request| request.learned_id(&body));
        Conclusion::unsent(Verdict::End(End::Succeeded {
            resource_id: learned.unwrap_or_default(),
            body,
        }))
    }

    /// Waits for the checker, however long that takes.
    pub(super) fn await_checker(&self, claimed: &Claimed) -> Conclusion {
        self.fineract.note_checker();
        Conclusion::again(claimed, AWAITING, Some(self.checkers_time()))
    }

    /// How long a checker is given.
    fn checkers_time(&self) -> Duration {
        self.settings().left_alone(GIVEN)
    }
}

/// Whether an operator has it run on: its trouble is forgotten then, and no claim of it was lost since.
fn is_retried(case: Case<'_>) -> bool {
    let claimed = case.claimed;
    claimed.reason_code.is_none() && claimed.lost == 0 && claimed.deaths == 0
}

impl Runner {
    /// Ends it as a checker has: without an effect, unless that is there all the same. Fineract may have died between
    /// an approval and its note of it, and who is asked once more then rejects what has been done.
    pub(super) async fn rejected(&self, case: Case<'_>) -> Conclusion {
        match self.find(case).await {
            Ok((Finding::Ours, evidence)) => self.succeeded_by(case, evidence).await,
            Ok((Finding::CannotTell, evidence)) => Conclusion::park(reason(UNTOLD, &evidence)),
            Ok((Finding::NotOurs | Finding::Absent, _)) => refused_unsent(
                "rejected_by_checker",
                "A checker in Fineract rejected the command".to_owned(),
                (case.entry.fails_dependents)(&[]),
            ),
            Err(conclusion) => conclusion,
        }
    }
}
