//! Attempts: what was sent, and what came back.

use std::time::Duration;

use super::{Answer, Referent, Request};

/// Why an attempt has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made: nothing was sent.
    NotConnected,
    /// The time was up: it may still run.
    TimedOut,
    /// The connection ended before a whole answer: it may have run.
    Closed,
}

impl Failure {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::TimedOut => "timed_out",
            Self::Closed => "closed",
        }
    }

    /// The failure of that word, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::NotConnected, Self::TimedOut, Self::Closed]
            .into_iter()
            .find(|failure| failure.as_str() == name)
    }
}

/// What came back for an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A whole answer.
    Answer(Answer),
    /// None.
    Failure(Failure),
}

/// One try to run an operation: a command that was committed, and what came back for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number.
    pub number: i32,
    /// `k` of the Idempotency-Key it was sent with.
    pub key_number: i32,
    /// The command.
    pub request: Request,
    /// The user in Fineract that it was sent as; `None` where an older gateway sent it.
    pub user: Option<String>,
    /// What came back; `None`: it is open, or ended with its process.
    pub reply: Option<Reply>,
    /// How long ago it was sent, by the database's clock.
    pub age: Duration,
    /// Whether Fineract looked, before this was sent, as if it had been done already: what a reading
    /// finds later is then no evidence of it. Looked at before an operation's first attempt.
    pub effect_preexisted: bool,
    /// What the numbers in the command meant when it was planned; empty where an older gateway sent it.
    pub referents: Vec<Referent>,
    /// The epoch of Fineract's books that it was sent to.
    pub epoch: i32,
}
