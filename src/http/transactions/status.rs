//! The statuses of document 003, and the rules by which an operation gets one of them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    domain::State,
    store::{KILLS_ITS_WORKER, Progress},
};

/// A status of document 003. Two of its statuses cannot occur: `in_transit`, because a payment either is
/// booked in Fineract or is not, and `authorized`, which concerns cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TransactionStatus")]
pub(super) enum Status {
    /// The operation waits for the operations before it, or for a worker.
    Pending,
    /// The operation is on hold, or parked before anything was sent.
    OnHold,
    /// A worker has claimed the operation, but has not sent a command.
    Processing,
    /// A command was sent, and its result is not known yet.
    SentToProvider,
    /// The operation succeeded.
    Success,
    /// The operation succeeded, and repaid everything that was outstanding on the loan.
    PaidFull,
    /// An operator, or the client of the batch, cancelled the operation before anything was sent.
    Canceled,
    /// Fineract refused the operation.
    Declined,
    /// The gateway did not send the operation: an operation on which it depends failed, or a check or guard refused it.
    Rejected,
    /// Fineract failed to execute the operation, and there was no effect.
    Failed,
    /// The operation is parked: a person has to decide.
    #[serde(rename = "Unknown")]
    Unknown,
    /// The operation was not sent before its `expires_at`, or was sent and had no effect.
    Expired,
}

impl Status {
    /// The status of an operation.
    pub(super) fn of(progress: &Progress) -> Self {
        match progress.state {
            State::Succeeded if progress.pays_off => Self::PaidFull,
            State::Succeeded => Self::Success,
            State::Failed => Self::of_failure(progress),
            // Nothing was ever sent, so there certainly is no effect, although a person has to decide.
            State::Parked if progress.code.as_deref() == Some(KILLS_ITS_WORKER) => Self::OnHold,
            State::Parked => Self::Unknown,
            State::Waiting | State::Ready | State::Running => Self::of_open(progress),
        }
    }

    /// The status of an operation that is neither parked nor ended. Such an operation is not reported as `expired`
    /// after its `expires_at`, because a worker may have sent it.
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

    /// Whether the transaction succeeded.
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
    fn an_open_operation_has_the_status_of_its_progress() {
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
    fn a_failure_has_the_status_of_who_refused_it() {
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
            // A 503 that the gateway treats as permanent is a refusal.
            (failed("error.msg.loan.y", true, Some(503)), "declined"),
        ]);
    }
}
