//! A claimed operation together with its type and its attempts.

use super::deps::Deps;
use crate::{
    domain::{
        Attempt, Failure, Reads, Reply, Request,
        decision::{Audit, History},
    },
    operations::{Context, Entry},
    store::Claimed,
};

/// A claimed operation together with its type and its attempts so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) claimed: &'a Claimed,
    pub(super) entry: &'static Entry,
    pub(super) attempts: &'a [Attempt],
    /// Fineract's audit of the command that was submitted to a checker, read before the command's key is sent again.
    /// `None` if no command was submitted to a checker.
    pub(super) audit: Option<Audit>,
}

impl<'a> Case<'a> {
    /// The conclusions that can be drawn from all attempts together.
    pub(super) fn history(&self) -> History<'a> {
        History::new(self.attempts).seen_in_audit(self.audit)
    }

    /// Whether an attempt was sent to other books than the current ones. The numbers in that attempt are not valid
    /// in the current books.
    pub(super) fn was_sent_to_other_books(&self) -> bool {
        let not_sent = Some(Reply::Failure(Failure::NotSent));
        let mut sent = self
            .attempts
            .iter()
            .filter(|attempt| attempt.reply != not_sent);
        sent.any(|attempt| attempt.epoch != self.claimed.epoch)
    }

    /// Whether the gateway knows a Fineract number of the client or loan that the operation writes or reads.
    pub(super) fn knows_a_number(&self) -> bool {
        self.claimed.known_id.is_some()
            || self.claimed.read_known_id.is_some()
            || self
                .attempts
                .iter()
                .any(|attempt| !attempt.request.numbers().is_empty())
    }

    /// The input of the operation type's pure functions, in addition to the payload and the facts.
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

    /// The names of the Fineract users under which the attempts were sent. Before the first attempt: the current
    /// user's name. There may be several users, because credentials are rotated and each gateway may have its own
    /// user.
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

    /// Adds to `reads` the number of the client or loan to which a command was already sent, so that the client or
    /// loan is read by number. The external id is no longer reliable: another client or loan may have received it
    /// since the command was sent.
    pub(super) fn by_sent_numbers(&self, reads: Reads) -> Reads {
        let is_of_these_books = !self.was_sent_to_other_books();
        let sent = self
            .history()
            .last_that_reached_fineract()
            .filter(|_| is_of_these_books);
        let sent = sent.map(|attempt| &attempt.request);
        Reads {
            client_id: sent.and_then(Request::client_id).or(reads.client_id),
            loan_id: sent.and_then(Request::loan_id).or(reads.loan_id),
            ..reads
        }
    }
}
