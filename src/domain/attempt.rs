//! Attempts: the command that was sent, and the reply to it.

use std::time::Duration;

use super::{Answer, Referent, Request};

/// The reason why an attempt has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The attempt was committed, but its command was never handed to the client for Fineract.
    NotSent,
    /// No connection was established, so nothing was sent.
    NotConnected,
    /// No answer arrived in time. Fineract may still be executing the command.
    TimedOut,
    /// The connection was closed before a complete answer arrived. Fineract may have executed the command.
    Closed,
}

impl Failure {
    /// The name in the table `attempt`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::NotConnected => "not_connected",
            Self::TimedOut => "timed_out",
            Self::Closed => "closed",
        }
    }

    /// The failure with this name, if it exists.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::NotSent,
            Self::NotConnected,
            Self::TimedOut,
            Self::Closed,
        ]
        .into_iter()
        .find(|failure| failure.as_str() == name)
    }
}

/// The reply to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Fineract, or a proxy, sent a complete answer.
    Answer(Answer),
    /// No complete answer arrived.
    Failure(Failure),
}

/// One try to run an operation: a committed command, and the reply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The attempt number of the claim under which the attempt was made.
    pub number: i32,
    /// The key number: the `k` of the idempotency key that was sent.
    pub key_number: i32,
    /// The command, as it was committed before it was sent.
    pub request: Request,
    /// The Fineract user that sent the command, or `None` if an older gateway sent it.
    pub user: Option<String>,
    /// The reply. `None` while the attempt is open, and if the process ended before it stored a reply.
    pub reply: Option<Reply>,
    /// The time since the command was sent, by the database's clock.
    pub age: Duration,
    /// Whether the effect already existed in Fineract before the operation's first attempt. If so, finding the effect
    /// later does not show that the operation made it.
    pub effect_preexisted: bool,
    /// The objects that the numbers in the command referred to when it was planned. Empty if an older gateway sent the
    /// command.
    pub referents: Vec<Referent>,
    /// The epoch of the books that the command was sent to.
    pub epoch: i32,
}
