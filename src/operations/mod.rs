//! The operation types: one file or folder for each type, and the registry.
//!
//! The file of a type contains its payload with the checks, its lanes, the rule whether its failure fails its
//! dependents, and pure functions. The pure functions decide what to read, what to send or refuse with the given facts,
//! and what is evidence of the effect. Nothing in this module does I/O. A new type needs a file that implements
//! `operation::Operation`, and a line in [`REGISTRY`].

mod body;
mod client_create;
mod client_update;
mod deployment;
#[cfg(test)]
mod document;
mod end_application;
mod field;
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
mod operation;
mod payment;
mod rules;
#[cfg(test)]
mod testing;
mod texts;
mod undo;

use serde_json::value::RawValue;

use crate::domain::{Checked, Facts, FineractCommand, OperationId, OperationType, Reads};

pub(crate) use self::fields::{Entries, pointer_of};
pub use self::{
    deployment::Deployment,
    field::{Field, Kind, PayloadFields},
    fields::{InvalidPayload, Problem},
    movement::Movement,
    names::{Named, named_by, named_lane, names_of},
    operation::{Context, DONE_BY_ANOTHER, Evidence, Plan, Refusal},
    payment::own_transaction,
    texts::{is_json_number, json_text, object, requires_number},
};
use self::{fields::Fields, operation::Operation};

/// An operation type as the rest of the gateway uses it. The fields correspond to the trait `Operation`, but the
/// functions take the raw payload. `check` applies all rules. The other functions apply only the rules that every
/// accepted payload has passed.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The operation type.
    pub operation_type: OperationType,
    /// The operation type whose late commands could succeed after this operation, because this operation removes the
    /// effect for which Fineract refuses them.
    pub reopens: Option<OperationType>,
    /// Whether the guard checks the operation again before its command is sent again.
    pub guarded: bool,
    /// Whether the absence of the loan is the evidence that the operation had its effect.
    pub leaves_nothing: bool,
    /// The key of the amount in the payload, if the amount is optional. An operation without an amount pays everything
    /// that is due.
    pub all_without: Option<&'static str>,
    /// The fields of the payload: those that `check` reads.
    pub fields: fn(&Deployment) -> PayloadFields,
    /// Checks a new payload.
    pub check: fn(&RawValue, &Deployment) -> Result<Checked, InvalidPayload>,
    /// Whether the dependents fail too if the operation fails with these codes of Fineract.
    pub fails_dependents: fn(&[String]) -> bool,
    /// The money that the operation moves, if any.
    pub moves: fn(&RawValue, &Deployment) -> Result<Option<Movement>, InvalidPayload>,
    /// What to read before `plan`.
    pub reads: fn(&RawValue, &Deployment, OperationId) -> Result<Reads, InvalidPayload>,
    /// Decides what to send, or why to refuse.
    pub plan: fn(&RawValue, &Facts, &Context<'_>) -> Result<Plan, InvalidPayload>,
    /// What to read before `evidence`.
    pub evidence_reads: fn(&RawValue, &Deployment, OperationId) -> Result<Reads, InvalidPayload>,
    /// Decides whether the effect exists, and whether it is the operation's own.
    pub evidence: fn(&RawValue, &Facts, &Context<'_>) -> Result<Evidence, InvalidPayload>,
    /// What to read after the operation has succeeded, as the input of `alarm`.
    pub reads_after: fn(&RawValue, &Deployment) -> Result<Option<Reads>, InvalidPayload>,
    /// The stable code of an alarm, if the facts show a problem although the operation has succeeded.
    pub alarm: fn(&Facts) -> Option<&'static str>,
}

impl Entry {
    /// The command that the type sends.
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
            fields: known_fields::<O>,
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

/// Reads a payload that was accepted before.
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

/// The fields that a type reads. A type asks for every field, also for those that a payload does not have, so it
/// tells its fields when it reads nothing.
fn known_fields<O: Operation>(deployment: &Deployment) -> PayloadFields {
    let mut fields = Fields::new(RawValue::NULL, deployment, true);
    let _nothing = O::read(&mut fields);
    fields.into_known()
}

/// Every operation type that this gateway runs.
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

/// Whether the dependents fail too if an operation of this type fails without having been sent.
pub fn fails_dependents_unsent(operation_type: OperationType) -> bool {
    entry(operation_type).is_some_and(|entry| (entry.fails_dependents)(&[]))
}
