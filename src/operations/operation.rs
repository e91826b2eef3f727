//! The trait that every operation type implements, and the values that the type exchanges with the worker.

use super::{deployment::Deployment, fields::Fields, movement::Movement};
use crate::domain::{Checked, Facts, OperationId, OperationType, Reads, Request};

/// What the functions of an operation type may use in addition to the payload and the facts.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The operation's id, which is also the `externalId` of its transaction.
    pub id: OperationId,
    /// The deployment.
    pub deployment: &'a Deployment,
    /// The Fineract users that sent the operation, or the gateway's current user before its first attempt.
    pub users: Vec<&'a str>,
    /// The number that Fineract assigned when an earlier operation created the client or loan of the written lane;
    /// `None` if no earlier operation created it.
    pub known_id: Option<i64>,
    /// The tracking id of an earlier operation of the lane that uses the same reference and has not failed.
    pub same_reference: Option<String>,
    /// The stored request of the last attempt; `None` before the first attempt.
    pub sent: Option<&'a Request>,
    /// Whether the command waited for a checker. If so, Fineract stores the checker's name instead of the gateway's
    /// user.
    pub checked: bool,
}

impl Context<'_> {
    /// Whether Fineract may name `user` because of this operation. This is true for a Fineract user that sent the
    /// operation; upper and lower case do not matter. It is true for every user if the command waited for a checker,
    /// because Fineract then names the checker.
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
    /// Refuses an operation because the plan needs an object that does not exist. This happens rarely, because the
    /// worker usually ends such an operation earlier, with Fineract's own 404.
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
    /// The effect exists and is the operation's own. The success body is built from the facts and has all keys except
    /// `changes` (`docs/fineract/commands.md`, "The result body of each command").
    Done(String),
}

/// What the facts show about the effect of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The effect exists and is the operation's own. Contains the success body, built as in [`Plan::Done`].
    Ours(String),
    /// The effect exists, but it is not the operation's own. Contains a sentence for the caller.
    NotOurs(String),
    /// The effect does not exist.
    Absent,
    /// The effect exists and the gateway's user made it, but with other values. Either somebody has changed these
    /// values later, or another gateway has made the effect, and the database of that gateway was lost. Contains the
    /// success body. It is used if an operator has verified that the effect is this operation's own.
    Changed(String),
    /// The facts do not show whether the effect exists. Contains the reason code for the operator.
    CannotTell(&'static str),
}

/// The code of a failed operation whose effect exists, but was made by somebody else. `fails_dependents` receives this
/// code together with Fineract's codes.
pub const DONE_BY_ANOTHER: &str = "done_by_another";

/// An operation type. The struct of its payload implements this trait, and [`Entry`](super::Entry) calls it.
pub(super) trait Operation: Sized {
    /// The operation type.
    const TYPE: OperationType;

    /// The type whose delayed commands could take effect again after this operation, because this operation removes
    /// what prevents them. A delayed copy of an undone payment cannot take effect, because its `externalId` remains in
    /// use (`docs/fineract/payments.md`, "Refusals of a payout").
    const REOPENS: Option<OperationType> = None;

    /// Whether Fineract would execute the command even if somebody else has caused the same effect in the meantime. If
    /// so, the operation is planned again before its command is sent again.
    const GUARDED: bool = false;

    /// Whether the evidence of the operation is that the loan no longer exists. In a restored Fineract, the loan may
    /// also be missing because of the restore.
    const LEAVES_NOTHING: bool = false;

    /// The key of the amount, if the amount may be left out. An operation without an amount pays everything that is
    /// due.
    const ALL_WITHOUT: Option<&'static str> = None;

    /// Reads and checks the payload. `fields` collects all problems. Returns `None` if a required value is missing or
    /// invalid.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;

    /// The lanes, reference and lender of the operation.
    fn checked(&self) -> Checked;

    /// Whether a failure of this operation with these codes of Fineract fails its dependents. The operations behind it
    /// in the lane that it writes then fail too, without being sent. `codes` is empty if this operation was not sent.
    fn fails_dependents(codes: &[String]) -> bool;

    /// The money that the operation moves; most types move none.
    fn moves(&self, _: &Deployment) -> Option<Movement> {
        None
    }

    /// What to read before [`plan`](Self::plan).
    fn reads(&self, deployment: &Deployment, id: OperationId) -> Reads;

    /// Decides what to send, or why to refuse. If `reads` names a client or loan, `facts` contains it. If the client or
    /// loan does not exist, the worker has already ended the operation with Fineract's 404.
    fn plan(&self, facts: &Facts, context: &Context<'_>) -> Plan;

    /// What to read before [`evidence`](Self::evidence).
    fn evidence_reads(&self, deployment: &Deployment, id: OperationId) -> Reads {
        self.reads(deployment, id)
    }

    /// Decides whether the effect exists, and whether it is the operation's own. A client or loan that does not exist
    /// is `None` in `facts`.
    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence;

    /// What to read after a success for [`alarm`](Self::alarm); `None` if nothing is to be read.
    fn reads_after(&self) -> Option<Reads> {
        None
    }

    /// The stable code, for operators, of a problem that exists although the operation has succeeded.
    fn alarm(_: &Facts) -> Option<&'static str> {
        None
    }
}
