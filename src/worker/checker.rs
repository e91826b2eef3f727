//! Operations that wait for a checker in Fineract (`CONTRACT.md` section 13).

use std::time::Duration;

use super::{
    case::Case,
    conclude::{Conclusion, refused_unsent},
    pace,
    runner::Runner,
};
use crate::{
    domain::{
        Request,
        decision::{self, Checked, Listing},
    },
    fineract::ReadFailure,
    operations::Evidence,
    store::{Claimed, End, Verdict},
};

/// Why an operation waits whose command Fineract has put before a checker.
const AWAITING: &str = "awaiting_checker";
/// The same, when it has been seen in the list of those: only then its absence means something.
const LISTED: &str = "awaiting_checker_listed";

/// How long a checker is given before it is looked at again.
const GIVEN: Duration = Duration::from_mins(1);

/// The reason, where an operation is known to wait for a checker: nothing else takes its place until it
/// goes on, since it is all that is kept of having seen it in the list.
pub(super) fn awaited(claimed: &Claimed) -> Option<&'static str> {
    [AWAITING, LISTED]
        .into_iter()
        .find(|why| claimed.why.as_deref() == Some(why))
}

/// Keeps that reason when an operation is only tried again.
pub(super) fn still_awaited(claimed: &Claimed, verdict: Verdict) -> Verdict {
    match (awaited(claimed), verdict) {
        (
            Some(why),
            Verdict::Again {
                delay,
                new_key,
                why: now,
                counts,
            },
        ) if now != LISTED => Verdict::Again {
            delay,
            new_key,
            why,
            counts,
        },
        (_, verdict) => verdict,
    }
}

impl Runner {
    /// Sees what the checker has done. Nothing is sent: the key would answer "not ended yet", or make a
    /// second command that waits.
    pub(super) async fn ask_checker(&self, case: Case<'_>) -> Conclusion {
        let listing = match self.listing(case).await {
            Ok(listing) => listing,
            Err(conclusion) => return conclusion,
        };
        if listing == Listing::Listed {
            return self.listed(case.claimed);
        }
        let (finding, evidence) = match self.find(case).await {
            Ok(found) => found,
            Err(conclusion) => return conclusion,
        };
        match decision::decide_checked(listing, finding, &case.history()) {
            Checked::Succeeded => self.succeeded_by(case, evidence).await,
            Checked::Rejected => {
                let message = match evidence {
                    Evidence::NotOurs(message) => message,
                    Evidence::Ours(_) | Evidence::Absent | Evidence::CannotTell(_) => {
                        "Fineract had a checker look at the command, and did not carry it out"
                            .to_owned()
                    }
                };
                refused_unsent("rejected_by_checker", message, (case.entry.fells)(&[]))
            }
            Checked::Waits => self.listed(case.claimed),
            Checked::Unseen => {
                let claimed = case.claimed;
                let delay = pace::delay(claimed.troubled_for, Some(self.checkers_time()));
                self.retry_or_park(claimed, AWAITING, delay, false)
            }
            Checked::Park { why } => Conclusion::park(why),
        }
    }

    /// Where the operation's command stands among those that wait for a checker.
    pub(super) async fn listing(&self, case: Case<'_>) -> Result<Listing, Conclusion> {
        let history = case.history();
        let Some((action, entity)) = history.request().and_then(Request::task) else {
            return Ok(Listing::Unreadable);
        };
        let not_listed = match awaited(case.claimed) {
            Some(LISTED) => Listing::Gone,
            Some(_) | None => Listing::NeverSeen,
        };
        match self.fineract.pending_commands(action, entity).await {
            Ok(pending) if history.is_among(&pending, &case.users(self)) => Ok(Listing::Listed),
            Ok(_) => Ok(not_listed),
            Err(ReadFailure::Refused(_) | ReadFailure::Unreadable(_) | ReadFailure::Missing(_)) => {
                Ok(Listing::Unreadable)
            }
            Err(ReadFailure::NoAnswer(_)) => {
                Err(self.again_or_park(case.claimed, "evidence_unread", true, None))
            }
        }
    }

    /// Ends it with the success that was read.
    pub(super) async fn succeeded_by(&self, case: Case<'_>, evidence: Evidence) -> Conclusion {
        let Evidence::Ours(body) = evidence else {
            return Conclusion::park("evidence_cannot_tell");
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

    /// Waits for the checker.
    pub(super) fn await_checker(&self, claimed: &Claimed) -> Conclusion {
        self.wait_on(claimed, awaited(claimed).unwrap_or(AWAITING))
    }

    /// Waits: it is in the list.
    pub(super) fn listed(&self, claimed: &Claimed) -> Conclusion {
        self.wait_on(claimed, LISTED)
    }

    fn wait_on(&self, claimed: &Claimed, why: &'static str) -> Conclusion {
        Conclusion::again(claimed, why, Some(self.checkers_time()))
    }

    /// How long a checker is given.
    fn checkers_time(&self) -> Duration {
        self.settings().left_alone(GIVEN)
    }
}
