//! The operations: one file each, and the registry.
//!
//! A file holds a type's payload and its checks, its lanes, who rests on it, and pure functions: what
//! to read, what to send (or refuse) given what was read, and what counts as evidence that it happened.
//! Nothing here does I/O. A new type is one file and one line of [`REGISTRY`].

mod body;
mod client_create;
mod client_update;
mod deployment;
#[cfg(test)]
mod document;
mod ending;
mod fields;
mod loan_application;
mod loan_approve;
mod loan_create;
mod loan_delete;
mod loan_disburse;
mod loan_reject;
mod loan_repayment;
mod loan_undo_approval;
mod loan_undo_disbursal;
mod loan_update;
mod loan_withdraw;
mod movement;
mod names;
mod payment;
mod rules;
#[cfg(test)]
mod testing;
mod undo;

use serde_json::value::RawValue;

use crate::domain::{
    Checked, Choice, Client, Day, Facts, FineractCommand, Loan, OperationId, OperationType,
    Product, Reads, Request, Transaction, total,
};

pub(crate) use self::fields::Entries;
use self::fields::Fields;
pub use self::{
    deployment::Deployment,
    fields::{InvalidPayload, Problem},
    movement::Movement,
    names::{Named, named_by, named_lane, names_of},
};

/// What a plan knows beside the payload and what was read.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The operation; the transaction externalId is made from it.
    pub id: OperationId,
    /// The deployment.
    pub deployment: &'a Deployment,
    /// The users in Fineract as which the operation was sent; before its first attempt the gateway's user.
    pub users: Vec<&'a str>,
    /// The numeric id that Fineract answered when an earlier operation of ours created the client or
    /// the loan of the lane that is written; `None` when none did.
    pub known_id: Option<i64>,
    /// The tracking id of the operation, not failed, that used the same reference on this lane before.
    pub same_reference: Option<String>,
    /// The request of the operation's last attempt, as it was stored; `None` before the first.
    pub sent: Option<&'a Request>,
    /// Whether it waited for a checker, whose name Fineract then keeps instead of the gateway's user's.
    pub checked: bool,
}

impl Context<'_> {
    /// Whether a user that Fineract names sent the operation, or may be its checker, in whatever case.
    fn is_own(&self, user: Option<&str>) -> bool {
        let sent = |user: &str| self.users.iter().any(|own| user.eq_ignore_ascii_case(own));
        user.is_some_and(|user| self.checked || sent(user))
    }
}

/// A refusal of our own: nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A stable code, for operators and bulk rows.
    pub code: &'static str,
    /// A sentence for the caller, without anybody's data.
    pub message: String,
}

impl Refusal {
    /// What a plan needs is not there; the worker finds that out first, from Fineract's own 404.
    fn not_found(what: &str) -> Plan {
        Plan::Refuse(Self {
            code: "not_found",
            message: format!("Not sent: Fineract has no such {what}"),
        })
    }
}

/// What to do with an operation whose facts are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Send this.
    Send(Request),
    /// Refuse it, unsent.
    Refuse(Refusal),
    /// It has happened already, by us; the success body is built from what was read, with all keys but `changes`
    /// (`docs/fineract/commands.md`, "The result body of each command").
    Done(String),
}

/// What reading Fineract says about an operation whose key cannot tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// There, and ours: the success body, made as that of [`Plan::Done`].
    Ours(String),
    /// There, and not ours: a sentence that says so.
    NotOurs(String),
    /// Not there.
    Absent,
    /// There, and made by us, but with other values than were sent: changed since, or made by a gateway whose history
    /// is gone. The success body, for a person who has made sure that it is this one.
    Changed(String),
    /// Reading cannot tell: why, for the operator.
    CannotTell(&'static str),
}

/// The code of a failure whose effect is there, but not by us; in `fails_dependents` it stands beside Fineract's codes.
pub const DONE_BY_ANOTHER: &str = "done_by_another";

/// One operation type. Implemented by its payload; called through [`Entry`] only.
trait Operation: Sized {
    /// The type.
    const TYPE: OperationType;

    /// The type whose commands it would let in again when they are executed late: it takes away what
    /// stands in their way. A payment that was undone is in nobody's: its external id stays taken
    /// (`docs/fineract/payments.md`, "Refusals of a payout").
    const REOPENS: Option<OperationType> = None;

    /// Whether Fineract would carry it out although others have done the same meanwhile, so that it is
    /// planned anew before it is sent again.
    const GUARDED: bool = false;

    /// Whether what shows that it was done is that its loan is not there: a restored Fineract looks the same.
    const LEAVES_NOTHING: bool = false;

    /// The field of the amount that may be left out, for all that there is to pay.
    const ALL_WITHOUT: Option<&'static str> = None;

    /// Reads and checks the payload. Problems are kept by `fields`, all of them; `None` when there is any.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;

    /// Where the operation stands.
    fn checked(&self) -> Checked;

    /// Whether those behind it in the lane that it writes rest on it: whether they fail, unsent, when
    /// this one fails with these codes of Fineract's (none where it was refused unsent).
    fn fails_dependents(codes: &[String]) -> bool;

    /// The money it moves; most types move none.
    fn moves(&self, _: &Deployment) -> Option<Movement> {
        None
    }

    /// What to read before [`plan`](Self::plan).
    fn reads(&self, deployment: &Deployment, id: OperationId) -> Reads;

    /// What to send, or to refuse. A client or loan that `reads` named is there: where Fineract does not
    /// have it, the worker has passed on its 404 already.
    fn plan(&self, facts: &Facts, context: &Context<'_>) -> Plan;

    /// What to read before [`evidence`](Self::evidence).
    fn evidence_reads(&self, deployment: &Deployment, id: OperationId) -> Reads {
        self.reads(deployment, id)
    }

    /// Whether it happened, and by whom. A client or loan that Fineract does not have is `None` in `facts`.
    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence;

    /// What to read after a success for [`alarm`](Self::alarm); `None`: nothing.
    fn reads_after(&self) -> Option<Reads> {
        None
    }

    /// What is wrong although the operation succeeded, as a stable code: somebody has to look at it.
    fn alarm(_: &Facts) -> Option<&'static str> {
        None
    }
}

/// An operation type as the rest of the gateway uses it. Every function reads the payload anew, by the
/// same rules as `check`, which alone also asks what was not always asked of a new one.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The type.
    pub operation_type: OperationType,
    /// The type whose late commands it would let in again.
    pub reopens: Option<OperationType>,
    /// Whether it is planned anew before it is sent again.
    pub guarded: bool,
    /// Whether what shows that it was done is that its loan is not there.
    pub leaves_nothing: bool,
    /// The field of the amount that may be left out, for all that there is to pay.
    pub all_without: Option<&'static str>,
    /// Checks a payload.
    pub check: fn(&RawValue, &Deployment) -> Result<Checked, InvalidPayload>,
    /// Whether those behind it fail with it, given Fineract's codes.
    pub fails_dependents: fn(&[String]) -> bool,
    /// The money it moves, if it does.
    pub moves: fn(&RawValue, &Deployment) -> Result<Option<Movement>, InvalidPayload>,
    /// What to read before `plan`.
    pub reads: fn(&RawValue, &Deployment, OperationId) -> Result<Reads, InvalidPayload>,
    /// What to send, or to refuse.
    pub plan: fn(&RawValue, &Facts, &Context<'_>) -> Result<Plan, InvalidPayload>,
    /// What to read before `evidence`.
    pub evidence_reads: fn(&RawValue, &Deployment, OperationId) -> Result<Reads, InvalidPayload>,
    /// Whether it happened, and by whom.
    pub evidence: fn(&RawValue, &Facts, &Context<'_>) -> Result<Evidence, InvalidPayload>,
    /// What to read after a success for `alarm`.
    pub reads_after: fn(&RawValue, &Deployment) -> Result<Option<Reads>, InvalidPayload>,
    /// What is wrong although it succeeded.
    pub alarm: fn(&Facts) -> Option<&'static str>,
}

impl Entry {
    /// The command that it sends.
    pub const fn command(&self) -> FineractCommand {
        FineractCommand::of(self.operation_type)
    }

    const fn of<O: Operation>() -> Self {
        Self {
            operation_type: O::TYPE,
            reopens: O::REOPENS,
            guarded: O::GUARDED,
            leaves_nothing: O::LEAVES_NOTHING,
            all_without: O::ALL_WITHOUT,
            check: |payload, deployment| Ok(read::<O>(payload, deployment, true)?.checked()),
            fails_dependents: O::fails_dependents,
            moves: |payload, deployment| Ok(decode::<O>(payload, deployment)?.moves(deployment)),
            reads: |payload, deployment, id| {
                Ok(decode::<O>(payload, deployment)?.reads(deployment, id))
            },
            plan: |payload, facts, context| {
                Ok(decode::<O>(payload, context.deployment)?.plan(facts, context))
            },
            evidence_reads: |payload, deployment, id| {
                Ok(decode::<O>(payload, deployment)?.evidence_reads(deployment, id))
            },
            evidence: |payload, facts, context| {
                Ok(decode::<O>(payload, context.deployment)?.evidence(facts, context))
            },
            reads_after: |payload, deployment| Ok(decode::<O>(payload, deployment)?.reads_after()),
            alarm: O::alarm,
        }
    }
}

/// Reads a payload that has passed the check.
fn decode<O: Operation>(payload: &RawValue, deployment: &Deployment) -> Result<O, InvalidPayload> {
    read(payload, deployment, false)
}

fn read<O: Operation>(
    payload: &RawValue,
    deployment: &Deployment,
    is_new: bool,
) -> Result<O, InvalidPayload> {
    let mut fields = Fields::new(payload, deployment, is_new);
    let operation = O::read(&mut fields);
    fields.finish(operation)
}

/// Every type the gateway runs.
pub static REGISTRY: &[Entry] = &[
    Entry::of::<client_create::ClientCreate>(),
    Entry::of::<client_update::ClientUpdate>(),
    Entry::of::<loan_create::LoanCreate>(),
    Entry::of::<loan_update::LoanUpdate>(),
    Entry::of::<loan_approve::LoanApprove>(),
    Entry::of::<loan_disburse::LoanDisburse>(),
    Entry::of::<loan_delete::LoanDelete>(),
    Entry::of::<loan_repayment::LoanRepayment>(),
    Entry::of::<loan_reject::LoanReject>(),
    Entry::of::<loan_withdraw::LoanWithdraw>(),
    Entry::of::<loan_undo_approval::LoanUndoApproval>(),
    Entry::of::<loan_undo_disbursal::LoanUndoDisbursal>(),
];

/// The entry of a type, if this gateway runs it.
pub fn entry(operation_type: OperationType) -> Option<&'static Entry> {
    REGISTRY
        .iter()
        .find(|entry| entry.operation_type == operation_type)
}

/// Whether those behind an operation of this type fail with it when it fails unsent.
pub fn fails_dependents_unsent(operation_type: OperationType) -> bool {
    entry(operation_type).is_some_and(|entry| (entry.fails_dependents)(&[]))
}
