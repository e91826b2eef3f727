//! One claimed operation with what is known of it.

use super::deps::Deps;
use crate::{
    domain::{
        Attempt, Reads, Request,
        decision::{Audit, History},
    },
    operations::{Context, Entry},
    store::Claimed,
};

/// A claimed operation, its type, and its attempts so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) claimed: &'a Claimed,
    pub(super) entry: &'static Entry,
    pub(super) attempts: &'a [Attempt],
    /// What Fineract showed of the command that waits for a checker, before its key is asked.
    pub(super) audit: Option<Audit>,
}

impl<'a> Case<'a> {
    /// What the attempts say together.
    pub(super) fn history(&self) -> History<'a> {
        History::new(self.attempts).seen_in_audit(self.audit)
    }

    /// Whether it was sent when Fineract's books were others than now: its numbers mean nothing in these.
    pub(super) fn is_of_other_books(&self) -> bool {
        let mut epochs = self.attempts.iter().map(|attempt| attempt.epoch);
        epochs.any(|epoch| epoch != self.claimed.epoch)
    }

    /// Whether Fineract gave us the number of what it writes or reads, or it was sent to one.
    pub(super) fn knows_a_number(&self) -> bool {
        self.claimed.known_id.is_some()
            || self.claimed.read_known_id.is_some()
            || self
                .attempts
                .iter()
                .any(|attempt| !attempt.request.numbers().is_empty())
    }

    /// What the type's pure functions know beside the payload and what was read.
    pub(super) fn context(&self, deps: &'a Deps) -> Context<'a> {
        Context {
            id: self.claimed.id,
            deployment: &deps.deployment,
            users: self.users(deps),
            known_id: self.claimed.known_id,
            same_reference: None,
            sent: self.history().request(),
            checked: self.history().has_awaited_checker(),
        }
    }

    /// The users as which the operation was sent, else the one that would send it now: a rotation changes
    /// it, and gateways may have one each.
    pub(super) fn users(&self, deps: &'a Deps) -> Vec<&'a str> {
        let now = deps.fineract.user();
        if self.attempts.is_empty() {
            return vec![now];
        }
        let sent = self.attempts.iter();
        let mut users: Vec<&str> = sent
            .map(|attempt| attempt.user.as_deref().unwrap_or(now))
            .collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// What to read, by the numbers of what a command was sent to already: since then another client or
    /// loan may have got its external id.
    pub(super) fn addressed(&self, reads: Reads) -> Reads {
        let of_these_books = !self.is_of_other_books();
        let sent = self
            .history()
            .last_that_reached_fineract()
            .filter(|_| of_these_books);
        let sent = sent.map(|attempt| &attempt.request);
        Reads {
            client_id: sent.and_then(Request::client_id).or(reads.client_id),
            loan_id: sent.and_then(Request::loan_id).or(reads.loan_id),
            ..reads
        }
    }
}
