//! Reads Fineract's audits of commands, and watches whether the gateway's user may read audits.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::sync::watch;

use super::{Fineract, ReadFailure, Subject};
use crate::{domain::decision::Audited, telemetry::metrics::count_alarm};

/// The interval of the permission check after an answer of Fineract.
const CHECK_INTERVAL: Duration = Duration::from_hours(1);
/// The interval of the permission check while Fineract does not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

impl Fineract {
    /// The audit of the command with this number.
    pub async fn audited(&self, command: i64) -> Result<Audited, ReadFailure> {
        let path = format!("/audits/{command}");
        let audited = self
            .read(&path, Subject::Audit, false, Audited::parse)
            .await;
        if let Some(lacks) = lacks_permission(&audited) {
            self.record_permission(lacks);
        }
        audited?.ok_or(ReadFailure::Missing(Subject::Audit))
    }

    /// Checks at once, and then from time to time, whether the gateway's user may read audits. Never returns. The check
    /// requests an arbitrary audit, which need not exist.
    pub async fn watch_audit_permission(self) {
        loop {
            let pause = match self.audited(1).await {
                Err(ReadFailure::NoAnswer(_)) => RETRY_INTERVAL,
                Ok(_)
                | Err(
                    ReadFailure::Refused(_) | ReadFailure::Missing(_) | ReadFailure::Unreadable(_),
                ) => CHECK_INTERVAL,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether the last answer of Fineract was that the gateway's user may not read audits. If so, the gateway cannot
    /// see what a checker has done.
    pub fn lacks_read_audit(&self) -> watch::Receiver<bool> {
        self.checkers.lacks_read_audit.subscribe()
    }

    /// Whether a command may have to wait for a checker, because `FINERACT_MAKER_CHECKER` is `true` or because a
    /// command already had to wait. If so, a sent command may take effect even after a restart of Fineract or a long
    /// time.
    pub fn may_await_checker(&self) -> bool {
        self.checkers.are_used.load(Ordering::Relaxed)
    }

    /// Records that a command waits for a checker. Logs an alarm if the settings say that no command waits for a
    /// checker.
    pub fn note_checker(&self) {
        const ALARM: &str = "checkers_unexpected";
        if !self.checkers.are_used.swap(true, Ordering::Relaxed) {
            count_alarm(ALARM);
            tracing::error!(
                alarm = ALARM,
                "a command waits for a checker, although FINERACT_MAKER_CHECKER is false"
            );
        }
    }

    fn record_permission(&self, lacks: bool) {
        let lacked = self.checkers.lacks_read_audit.send_replace(lacks);
        if lacks && !lacked {
            tracing::warn!(
                permission = "READ_AUDIT",
                "the gateway's user in Fineract lacks a permission: the gateway cannot see what checkers do with its commands"
            );
        } else if lacked && !lacks {
            tracing::info!(
                permission = "READ_AUDIT",
                "the gateway's user in Fineract has the permission now"
            );
        }
    }
}

/// Whether the answer shows that the permission is missing (`true`) or present (`false`). `None` if it shows neither.
pub(super) fn lacks_permission(audited: &Result<Option<Audited>, ReadFailure>) -> Option<bool> {
    match audited {
        Ok(_) => Some(false),
        Err(failure) if failure.is_forbidden() => Some(true),
        // Fineract checks the permission first. If the user has the permission and the audit does not exist, Fineract
        // answers with a 500 (`docs/fineract/checkers.md`, "What became of it").
        Err(ReadFailure::Refused(answer)) if answer.status == 500 => Some(false),
        Err(_) => None,
    }
}
