//! What the gateway knows about the use of maker-checker in Fineract (`docs/fineract/checkers.md`).

use std::sync::atomic::AtomicBool;

use tokio::sync::watch;

/// Whether maker-checker is used, and whether its audits can be read.
#[derive(Debug)]
pub(super) struct Checkers {
    /// Whether a command may have to wait for a checker.
    pub(super) are_used: AtomicBool,
    /// Whether the gateway's user lacks the permission to read audits.
    pub(super) lacks_read_audit: watch::Sender<bool>,
}

impl Checkers {
    pub(super) fn new(are_used: bool) -> Self {
        Self {
            are_used: AtomicBool::new(are_used),
            lacks_read_audit: watch::Sender::new(false),
        }
    }
}
