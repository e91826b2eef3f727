//! One claimed operation with what is known of it.

use crate::{
    domain::{Attempt, decision::History},
    operations::{Context, Entry},
    store::Claimed,
};

use super::runner::Runner;

/// A claimed operation, its type, and its attempts so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) claimed: &'a Claimed,
    pub(super) entry: &'static Entry,
    pub(super) attempts: &'a [Attempt],
}

impl<'a> Case<'a> {
    /// What the attempts say together.
    pub(super) fn history(&self) -> History<'a> {
        History::new(self.attempts)
    }

    /// What the type's pure functions know beside the payload and what was read.
    pub(super) fn context(&self, runner: &'a Runner) -> Context<'a> {
        Context {
            id: self.claimed.id,
            deployment: &runner.deployment,
            user: runner.fineract.user(),
            known_id: self.claimed.known_id,
            same_reference: None,
            sent: self.history().request(),
        }
    }
}
