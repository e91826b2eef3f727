//! The points at which the lab's `prove` has a gateway end or stop itself, to see what the others make of it.
//!
//! Only a build with the feature `fault-points` obeys; in any other, passing a point compiles to nothing.

#[cfg(feature = "fault-points")]
mod armed;

use std::{fmt, str::FromStr};

#[cfg(feature = "fault-points")]
pub use self::armed::{arm, on_the_wire, reach};

use crate::domain::OperationType;

/// The environment variable with an [`Injection`].
pub const INJECTION_VARIABLE: &str = "PROVE_INJECTION";

/// What the log says when an order is carried out.
pub const CARRIED_OUT: &str = "the point of the injection is reached";

/// A place in the life of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// Its acceptance is written, and not committed.
    InGroupCommit,
    /// Its acceptance is committed, and not answered.
    AfterGroupCommit,
    /// What is to be sent is known, and not committed.
    BeforeAttemptCommit,
    /// The attempt is committed, and not sent.
    AfterAttemptCommit,
    /// The command is on the wire, and its answer not read.
    AfterSend,
    /// The answer is read, and not weighed.
    AfterAnswer,
    /// The end, or the next try, is decided, and not written.
    BeforeComplete,
    /// That it goes on under a new key is decided, and not written.
    BeforeNewKey,
    /// It is written.
    AfterComplete,
    /// The leases of what is held are about to be renewed; of no operation in particular.
    InLeaseRenewal,
}

impl Point {
    /// Every point, in the order of an operation's life.
    pub const ALL: [Self; 10] = [
        Self::InGroupCommit,
        Self::AfterGroupCommit,
        Self::BeforeAttemptCommit,
        Self::AfterAttemptCommit,
        Self::AfterSend,
        Self::AfterAnswer,
        Self::BeforeComplete,
        Self::BeforeNewKey,
        Self::AfterComplete,
        Self::InLeaseRenewal,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InGroupCommit => "in_group_commit",
            Self::AfterGroupCommit => "after_group_commit",
            Self::BeforeAttemptCommit => "before_attempt_commit",
            Self::AfterAttemptCommit => "after_attempt_commit",
            Self::AfterSend => "after_send",
            Self::AfterAnswer => "after_answer",
            Self::BeforeComplete => "before_complete",
            Self::BeforeNewKey => "before_new_key",
            Self::AfterComplete => "after_complete",
            Self::InLeaseRenewal => "in_lease_renewal",
        }
    }

    /// Whether operations of each type pass it: leases are renewed together.
    pub const fn is_of_each_type(self) -> bool {
        !matches!(self, Self::InLeaseRenewal)
    }

    /// Whether gateways die there: a new key is too rare to be waited for, so there one is only stopped.
    pub const fn is_deadly(self) -> bool {
        !matches!(self, Self::BeforeNewKey)
    }
}

/// What the process does to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It dies, as by `kill -9`.
    Die,
    /// It stops, until somebody continues it.
    Stop,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Die => "die",
            Self::Stop => "stop",
        }
    }
}

/// What happens at a point: `die:after_send:LOAN_DISBURSE:2`, or `die:in_lease_renewal::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Injection {
    /// What.
    pub action: Action,
    /// Where.
    pub point: Point,
    /// Whose passing counts; `None`: anybody's.
    pub operation_type: Option<OperationType>,
    /// At which passing, from 1.
    pub passing: u32,
}

/// The text is no [`Injection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reads die|stop:POINT:[OPERATION_TYPE]:PASSING")]
pub struct InvalidInjection;

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation_type = self.operation_type.map_or("", OperationType::as_str);
        let (action, point) = (self.action.as_str(), self.point.as_str());
        write!(f, "{action}:{point}:{operation_type}:{}", self.passing)
    }
}

impl FromStr for Injection {
    type Err = InvalidInjection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split(':').collect();
        let &[action, point, operation_type, passing] = words.as_slice() else {
            return Err(InvalidInjection);
        };
        Ok(Self {
            action: [Action::Die, Action::Stop]
                .into_iter()
                .find(|known| known.as_str() == action)
                .ok_or(InvalidInjection)?,
            point: Point::ALL
                .into_iter()
                .find(|known| known.as_str() == point)
                .ok_or(InvalidInjection)?,
            operation_type: match operation_type {
                "" => None,
                name => Some(OperationType::from_name(name).ok_or(InvalidInjection)?),
            },
            passing: passing.parse().or(Err(InvalidInjection))?,
        })
    }
}

/// Passes a point, at which nothing happens in this build.
#[cfg(not(feature = "fault-points"))]
pub fn reach(_: Point, _: impl Into<Option<OperationType>>) {}

/// Waits for a command's answer.
#[cfg(not(feature = "fault-points"))]
pub async fn on_the_wire<T>(_: OperationType, sending: impl Future<Output = T>) -> T {
    sending.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_reads_as_it_is_written() {
        for (text, known) in [
            ("die:after_send:LOAN_DISBURSE:2", true),
            ("stop:before_complete:CLIENT_UPDATE:1", true),
            ("die:in_lease_renewal::3", true),
            ("die:in_lease_renewal:3", false),
            ("wait:after_send:LOAN_DISBURSE:2", false),
            ("die:after_lunch:LOAN_DISBURSE:2", false),
            ("die:after_send:LOAN_PAY:2", false),
            ("die:after_send:LOAN_DISBURSE:soon", false),
        ] {
            let injection = text.parse::<Injection>();
            assert_eq!(injection.is_ok(), known, "{text}");
            if let Ok(injection) = injection {
                assert_eq!(injection.to_string(), text);
            }
        }
    }
}
