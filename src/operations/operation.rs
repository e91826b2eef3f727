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
    /// The names of the Fineract users under which attempts of the operation were sent. Before the first attempt: only
    /// the name of the gateway's current user.
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
    /// Whether this operation may have made the effect that Fineract attributes to `user`. This is true if `user` is
    /// one of `users`; upper and lower case do not matter. If the command waited for a checker, it is true for every
    /// user, because Fineract then stores the checker's name.
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
    /// The effect exists and was made under the gateway's user, but it has other values than the payload. Either
    /// somebody has changed these values later, or another gateway, whose database was lost, has made the effect.
    /// Contains the success body. The gateway uses this body if an operator has verified that the effect is this
    /// operation's own.
    Changed(String),
    /// The facts do not show whether the effect exists. Contains the reason code for the operator.
    CannotTell(&'static str),
}

/// The code of a failed operation whose effect exists, but was made by somebody else. `fails_dependents` receives this
/// code together with Fineract's codes.
pub const DONE_BY_ANOTHER: &str = "done_by_another";

/// An operation type. The struct of the type's payload implements this trait, and [`Entry`](super::Entry) calls its
/// functions.
pub(super) trait Operation: Sized {
    /// The operation type.
    const TYPE: OperationType;

    /// The operation type whose late commands could succeed after this operation. Before this operation, Fineract
    /// refuses a late copy of such a command, because the command's effect exists. This operation removes the effect.
    /// `None`: this operation makes no late command possible. For example, Fineract refuses a late copy of a payment
    /// even after the payment was undone, because the payment's `externalId` remains in use
    /// (`docs/fineract/payments.md`, "Refusals of a payout").
    const REOPENS: Option<OperationType> = None;

    /// Whether Fineract would execute the command even if somebody else has caused the same effect in the meantime. If
    /// so, the operation is planned again before its command is sent again.
    const GUARDED: bool = false;

    /// Whether the absence of the loan is the evidence that the operation had its effect. After a restore of Fineract,
    /// the loan may also be missing because of the restore.
    const LEAVES_NOTHING: bool = false;

    /// The key of the amount in the payload, if the amount is optional. An operation without an amount pays everything
    /// that is due.
    const ALL_WITHOUT: Option<&'static str> = None;

    /// Reads and checks the payload. `fields` collects all problems. Returns `None` if a required value is missing or
    /// invalid.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;

    /// The lanes, reference and lender of the operation.
    fn checked(&self) -> Checked;

    /// Whether the dependents fail too if this operation fails with these codes of Fineract. The dependents are the
    /// operations behind this operation in the lane that it writes, up to the next create; they fail without being
    /// sent. `codes` is empty if this operation was not sent.
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

    /// What to read after the operation has succeeded, as the input of [`alarm`](Self::alarm). `None`: nothing is
    /// read, and `alarm` is not called.
    fn reads_after(&self) -> Option<Reads> {
        None
    }

    /// The stable code of an alarm, if the facts show a problem although the operation has succeeded; otherwise
    /// `None`.
    fn alarm(_: &Facts) -> Option<&'static str> {
        None
    }
}
