//! Fault points: moments in an operation's life at which the lab's `prove` makes a gateway end or stop itself,
//! to test how the other gateways continue.
//!
//! Only a build with the feature `fault-points` performs injections. In any other build, a fault point does nothing.

#[cfg(feature = "fault-points")]
mod armed;

use std::{fmt, str::FromStr};

#[cfg(feature = "fault-points")]
pub use self::armed::{arm, in_flight, on_the_wire, reach};

use crate::domain::OperationType;

/// The environment variable that contains an [`Injection`].
pub const INJECTION_VARIABLE: &str = "PROVE_INJECTION";

/// The message on standard error when an injection is performed.
pub const INJECTION_REACHED: &str = "fault point reached, injection performed";

/// A moment in the life of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// The statement that accepts the operation is sent to the database, but not answered.
    InGroupCommit,
    /// The operation's acceptance is committed, but the caller is not answered.
    AfterGroupCommit,
    /// The operation's command is decided, but the attempt is not committed.
    BeforeAttemptCommit,
    /// The attempt is committed, but not sent.
    AfterAttemptCommit,
    /// The command is sent, but its answer is not read.
    AfterSend,
    /// The answer is read, but nothing is decided.
    AfterAnswer,
    /// The end or the next attempt is decided, but not written.
    BeforeComplete,
    /// The use of a new key is decided, but not written.
    BeforeNewKey,
    /// The completion is written.
    AfterComplete,
    /// The leases of all claimed operations are about to be renewed. This point does not belong to a single
    /// operation.
    InLeaseRenewal,
}

impl Point {
    /// All points, in the order in which an operation passes them. `InLeaseRenewal` is last.
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

    /// The name of the point in an [`Injection`].
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

    /// Whether each operation passes the point separately, so that an injection can name the operation type. The
    /// leases of all operations are renewed together.
    pub const fn is_of_each_type(self) -> bool {
        !matches!(self, Self::InLeaseRenewal)
    }

    /// Whether `prove` makes gateways end at this point. At `BeforeNewKey`, `prove` only stops gateways, because new
    /// keys are too rare to wait for enough of them.
    pub const fn is_deadly(self) -> bool {
        !matches!(self, Self::BeforeNewKey)
    }
}

/// What the process does to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The process ends, as by `kill -9`.
    Die,
    /// The process stops until another process continues it.
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

/// An action at a fault point, written `die:after_send:LOAN_DISBURSE:2` or `die:in_lease_renewal::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Injection {
    /// What the process does to itself.
    pub action: Action,
    /// The point at which the process performs the action.
    pub point: Point,
    /// Only passings of operations of this type count. `None`: passings of all types count.
    pub operation_type: Option<OperationType>,
    /// The action is performed at the passing with this number, counted from 1.
    pub passing: u32,
}

/// The text is not an [`Injection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an injection is written die|stop:POINT:[OPERATION_TYPE]:PASSING")]
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

/// Called at each fault point. Does nothing in this build.
#[cfg(not(feature = "fault-points"))]
pub fn reach(_: Point, _: impl Into<Option<OperationType>>) {}

/// Waits for the answer to a command.
#[cfg(not(feature = "fault-points"))]
pub async fn on_the_wire<T>(_: OperationType, sending: impl Future<Output = T>) -> T {
    sending.await
}

/// Waits for the answer to a statement that concerns operations of these types.
#[cfg(not(feature = "fault-points"))]
pub async fn in_flight<T>(
    _: Point,
    _: Vec<OperationType>,
    statement: impl Future<Output = T>,
) -> T {
    statement.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_injection_is_parsed_as_it_is_displayed() {
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
