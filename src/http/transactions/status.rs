//! The document's status words, and how an operation comes to one.

use serde::Serialize;

use crate::{
    domain::State,
    store::{KILLS_ITS_WORKER, Progress},
};

/// A status of document 003. Two of its words cannot arise here: `in_transit`, for money is either with
/// Fineract or not, and `authorized`, which is of cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// Waits for its turn.
    Pending,
    /// An operator holds it back.
    OnHold,
    /// A worker has it, and has sent nothing.
    Processing,
    /// Sent; how it ended is not known yet.
    SentToProvider,
    /// Done.
    Success,
    /// Done, and it repaid all that was outstanding of the loan, or more.
    PaidFull,
    /// An operator, or the batch's sender, cancelled it before it was sent.
    Canceled,
    /// Fineract refused it.
    Declined,
    /// The gateway refused it, unsent: what it rests on failed, or a guard said no.
    Rejected,
    /// Fineract failed, without an effect.
    Failed,
    /// Only a person can decide it.
    #[serde(rename = "Unknown")]
    Unknown,
    /// It was not sent in time, and will not be.
    Expired,
}

impl Status {
    /// The status of an operation.
    pub(super) fn of(progress: &Progress) -> Self {
        match progress.state {
            State::Succeeded if progress.pays_off => Self::PaidFull,
            State::Succeeded => Self::Success,
            State::Failed => Self::of_failure(progress),
            // Nothing was ever sent: a person has to look at it, but not for what became of it.
            State::Parked if progress.code.as_deref() == Some(KILLS_ITS_WORKER) => Self::OnHold,
            State::Parked => Self::Unknown,
            State::Waiting | State::Ready | State::Running => Self::of_open(progress),
        }
    }

    /// Of one that has not ended. That its time has passed is not told before it has ended: an attempt may
    /// be about to be committed.
    fn of_open(progress: &Progress) -> Self {
        match progress {
            Progress {
                is_on_hold: true, ..
            } => Self::OnHold,
            Progress { was_sent: true, .. } => Self::SentToProvider,
            Progress {
                was_claimed: true, ..
            } => Self::Processing,
            Progress { .. } => Self::Pending,
        }
    }

    fn of_failure(progress: &Progress) -> Self {
        match progress.code.as_deref() {
            Some("cancelled") => Self::Canceled,
            Some("expired") => Self::Expired,
            Some("behind_failed" | "behind_stopped") => Self::Rejected,
            Some("done_by_another") => Self::Declined,
            Some(_) | None if !progress.is_refused => {
                if progress.was_sent {
                    Self::Failed
                } else {
                    Self::Rejected
                }
            }
            Some(_) | None if progress.last_status == Some(500) => Self::Failed,
            Some(_) | None => Self::Declined,
        }
    }

    /// Whether it ended well.
    pub(super) const fn is_completed(self) -> bool {
        matches!(self, Self::Success | Self::PaidFull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Progress = Progress {
        state: State::Waiting,
        is_on_hold: false,
        was_claimed: false,
        was_sent: false,
        pays_off: false,
        code: None,
        is_refused: false,
        last_status: None,
    };

    fn check(rows: &[(Progress, &str)]) {
        for (progress, word) in rows {
            let status = serde_json::to_value(Status::of(progress)).unwrap();
            assert_eq!(status, *word, "{progress:?}");
        }
    }

    #[test]
    fn what_has_not_ended_says_how_far_it_has_come() {
        let ready = Progress {
            state: State::Ready,
            ..OPEN
        };
        let claimed = Progress {
            was_claimed: true,
            ..ready.clone()
        };
        let running = Progress {
            state: State::Running,
            ..claimed.clone()
        };
        let sent = Progress {
            was_sent: true,
            ..running.clone()
        };
        let held = |progress| Progress {
            is_on_hold: true,
            ..progress
        };
        let parked = Progress {
            state: State::Parked,
            ..sent.clone()
        };
        check(&[
            (OPEN, "pending"),
            (ready.clone(), "pending"),
            (claimed.clone(), "processing"),
            (running.clone(), "processing"),
            (sent.clone(), "sent_to_provider"),
            (
                Progress {
                    state: State::Ready,
                    ..sent.clone()
                },
                "sent_to_provider",
            ),
            (held(OPEN), "on_hold"),
            (held(ready.clone()), "on_hold"),
            (parked, "Unknown"),
            (
                Progress {
                    state: State::Parked,
                    code: Some("kills_its_worker".to_owned()),
                    ..claimed.clone()
                },
                "on_hold",
            ),
        ]);
    }

    #[test]
    fn an_end_says_who_refused_it_and_when() {
        let succeeded = Progress {
            state: State::Succeeded,
            was_claimed: true,
            was_sent: true,
            ..OPEN
        };
        let failed = |code: &str, was_sent, last_status| Progress {
            state: State::Failed,
            code: Some(code.to_owned()),
            was_sent,
            is_refused: was_sent,
            last_status,
            ..OPEN
        };
        let unread = Progress {
            is_refused: true,
            ..failed("error.msg.loan.external.id.invalid", false, None)
        };
        let given_up = Progress {
            is_refused: false,
            ..failed("resolved", true, None)
        };
        let done_by_another = Progress {
            is_refused: false,
            ..failed("done_by_another", true, Some(500))
        };
        check(&[
            (succeeded.clone(), "success"),
            (
                Progress {
                    pays_off: true,
                    ..succeeded.clone()
                },
                "paid_full",
            ),
            (failed("cancelled", false, None), "canceled"),
            (failed("expired", false, None), "expired"),
            (failed("behind_failed", false, None), "rejected"),
            (failed("behind_stopped", false, None), "rejected"),
            (failed("reference_used", false, None), "rejected"),
            (failed("no_open_tranche", false, None), "rejected"),
            (failed("error.msg.loan.x", true, Some(403)), "declined"),
            (unread, "declined"),
            (done_by_another, "declined"),
            (failed("status_500", true, Some(500)), "failed"),
            (given_up, "failed"),
            // What Fineract calls unavailable for ever is a refusal.
            (failed("error.msg.loan.y", true, Some(503)), "declined"),
        ]);
    }
}
