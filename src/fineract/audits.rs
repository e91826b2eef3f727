//! Fineract's audits of commands, and whether this user may read them.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::sync::watch;

use super::{Fineract, ReadFailure, Subject};
use crate::domain::decision::Audited;

/// How often the right is looked for where no command waits for a checker.
const LOOKS: Duration = Duration::from_hours(1);
/// The same, until Fineract has answered.
const LOOKS_FOR_FINERACT: Duration = Duration::from_secs(10);

impl Fineract {
    /// The audit of a command, by its number.
    pub async fn audited(&self, command: i64) -> Result<Audited, ReadFailure> {
        let path = format!("/audits/{command}");
        let audited = self
            .read(&path, Subject::Audit, false, Audited::parse)
            .await;
        if let Some(lacks) = lacks_right(&audited) {
            self.note_right(lacks);
        }
        audited?.ok_or(ReadFailure::Missing(Subject::Audit))
    }

    /// Looks for the right to read audits, at once and from time to time; never ends. Whether there is such an
    /// audit does not matter.
    pub async fn watch_right_to_audits(self) {
        loop {
            let pause = match self.audited(1).await {
                Err(ReadFailure::NoAnswer(_)) => LOOKS_FOR_FINERACT,
                Ok(_)
                | Err(
                    ReadFailure::Refused(_) | ReadFailure::Missing(_) | ReadFailure::Unreadable(_),
                ) => LOOKS,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether Fineract said, when it was last asked, that this user may not read audits: then nobody sees
    /// what a checker has done.
    pub fn lacks_read_audit(&self) -> watch::Receiver<bool> {
        self.checkers.lacks_read_audit.subscribe()
    }

    /// Whether a command may have to wait for a checker (`FINERACT_MAKER_CHECKER`, or one does): then neither
    /// a restart of Fineract nor the time that has passed ends what was sent.
    pub fn may_await_checker(&self) -> bool {
        self.checkers.are_used.load(Ordering::Relaxed)
    }

    /// Notes that a command waits for a checker, whatever the settings say.
    pub fn note_checker(&self) {
        if !self.checkers.are_used.swap(true, Ordering::Relaxed) {
            tracing::error!(
                alarm = "checkers_unexpected",
                "a command waits for a checker, although FINERACT_MAKER_CHECKER is false"
            );
        }
    }

    fn note_right(&self, lacks: bool) {
        let lacked = self.checkers.lacks_read_audit.send_replace(lacks);
        if lacks && !lacked {
            tracing::warn!(
                permission = "READ_AUDIT",
                "the user in Fineract lacks a permission: what checkers do to its commands cannot be seen"
            );
        } else if lacked && !lacks {
            tracing::info!(
                permission = "READ_AUDIT",
                "the user in Fineract has the permission again"
            );
        }
    }
}

/// What an answer says of the right; `None`: nothing.
fn lacks_right(audited: &Result<Option<Audited>, ReadFailure>) -> Option<bool> {
    match audited {
        Ok(_) => Some(false),
        Err(failure) if failure.is_forbidden() => Some(true),
        // Fineract breaks on an audit that is not there (`docs/fineract/checkers.md`, "What became of it"); the right
        // is looked at before.
        Err(ReadFailure::Refused(answer)) if answer.status == 500 => Some(false),
        Err(_) => None,
    }
}
