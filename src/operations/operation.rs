//! What every operation type defines, and the values that it exchanges with the worker.

use super::{deployment::Deployment, fields::Fields, movement::Movement};
use crate::domain::{Checked, Facts, OperationId, OperationType, Reads, Request};

/// What a plan may use beside the payload and the facts.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The operation's id, which is also the `externalId` of its transaction.
    pub id: OperationId,
    /// The deployment.
    pub deployment: &'a Deployment,
    /// The Fineract users that sent the operation, or the gateway's current user before its first attempt.
    pub users: Vec<&'a str>,
    /// The number that Fineract assigned when an earlier operation created the client or loan of the written
    /// lane; `None` if none did.
    pub known_id: Option<i64>,
    /// The tracking id of an earlier operation of the lane that uses the same reference and has not failed.
    pub same_reference: Option<String>,
    /// The stored request of the last attempt; `None` before the first.
    pub sent: Option<&'a Request>,
    /// Whether the command waited for a checker. Fineract then stores the checker's name instead of the
    /// gateway's user.
    pub checked: bool,
}

impl Context<'_> {
    /// Whether the user whom Fineract names may belong to this operation: one that sent it (in any case), or
    /// its checker.
    pub(super) fn is_own(&self, user: Option<&str>) -> bool {
        let sent = |user: &str| self.users.iter().any(|own| user.eq_ignore_ascii_case(own));
        user.is_some_and(|user| self.checked || sent(user))
    }
}

/// A refusal by the gateway itself. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A stable code, for operators and rows of batches.
    pub code: &'static str,
    /// A sentence for the caller, without personal data.
    pub message: String,
}

impl Refusal {
    /// Refuses because the plan needs an object that does not exist. Rarely used, because the worker passes on
    /// Fineract's own 404.
    pub(super) fn not_found(what: &str) -> Plan {
        Plan::Refuse(Self {
            code: "not_found",
            message: format!("Not sent: Fineract has no such {what}"),
        })
    }
}

/// What to do with an operation, given the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Send this request.
    Send(Request),
    /// End as failed, without sending.
    Refuse(Refusal),
    /// The effect exists and is the operation's own. The success body is built from the facts, with all keys
    /// but `changes` (`docs/fineract/commands.md`, "The result body of each command").
    Done(String),
}

/// What the facts show about the effect of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It exists and is the operation's own; the success body, built as in [`Plan::Done`].
    Ours(String),
    /// It exists and somebody else made it; a sentence for the caller.
    NotOurs(String),
    /// It does not exist.
    Absent,
    /// It exists and the gateway's user made it, but with other values: it was changed since, or another
    /// gateway made it whose database was lost. The success body, for an operator who has verified that it is
    /// this operation's.
    Changed(String),
    /// The facts do not show it; the reason code for the operator.
    CannotTell(&'static str),
}

/// The code of a failure whose effect exists, but was made by somebody else. `fails_dependents` gets it beside
/// Fineract's codes.
pub const DONE_BY_ANOTHER: &str = "done_by_another";

/// An operation type, implemented by its payload, and called through [`Entry`](super::Entry).
pub(super) trait Operation: Sized {
    /// The operation type.
    const TYPE: OperationType;

    /// The type whose delayed commands could take effect again after this operation, because it removes what
    /// prevents them. An undone payment cannot: its `externalId` remains in use (`docs/fineract/payments.md`,
    /// "Refusals of a payout").
    const REOPENS: Option<OperationType> = None;

    /// Whether Fineract would execute the command although somebody else has had the same effect meanwhile.
    /// Then the operation is planned again before its command is sent again.
    const GUARDED: bool = false;

    /// Whether its evidence is that the loan no longer exists. A restored Fineract may show the same.
    const LEAVES_NOTHING: bool = false;

    /// The key of the amount that may be left out to pay everything that is due.
    const ALL_WITHOUT: Option<&'static str> = None;

    /// Reads and checks the payload. `fields` collects all problems; `None` if there is any.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;

    /// The lanes, reference and lender of the operation.
    fn checked(&self) -> Checked;

    /// Whether the operations behind it in the lane that it writes fail too, without being sent, if this one
    /// fails with these codes of Fineract (none if it was not sent).
    fn fails_dependents(codes: &[String]) -> bool;

    /// The money that the operation moves; most types move none.
    fn moves(&self, _: &Deployment) -> Option<Movement> {
        None
    }

    /// What to read before [`plan`](Self::plan).
    fn reads(&self, deployment: &Deployment, id: OperationId) -> Reads;

    /// Decides what to send, or why to refuse. A client or loan named by `reads` is in `facts`: otherwise the
    /// worker has ended the operation with Fineract's 404 already.
    fn plan(&self, facts: &Facts, context: &Context<'_>) -> Plan;

    /// What to read before [`evidence`](Self::evidence).
    fn evidence_reads(&self, deployment: &Deployment, id: OperationId) -> Reads {
        self.reads(deployment, id)
    }

    /// Whether the effect exists, and whose it is. A client or loan that does not exist is `None` in `facts`.
    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence;

    /// What to read after a success for [`alarm`](Self::alarm); `None` if nothing.
    fn reads_after(&self) -> Option<Reads> {
        None
    }

    /// The stable code of what is wrong despite a success, for the operators.
    fn alarm(_: &Facts) -> Option<&'static str> {
        None
    }
}
