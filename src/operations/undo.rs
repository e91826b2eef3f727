//! The common part of `LOAN_UNDO_APPROVAL` and `LOAN_UNDO_DISBURSAL`.

use std::marker::PhantomData;

use serde::Serialize;

use super::{
    body::send,
    deployment::Deployment,
    fields::Fields,
    operation::{Context, Evidence, Operation, Plan, Refusal},
    rules,
};
use crate::domain::{Checked, Facts, Lane, LoanTimeline, OperationId, OperationType, Reads};

/// A step of a loan that can be undone.
pub(super) trait Step {
    /// The operation type that undoes the step.
    const UNDO: OperationType;
    /// The operation type whose late commands could succeed after the undo.
    const REOPENS: Option<OperationType>;
    /// The loan status after the step.
    const LOAN_STATUS: i32;

    /// The Fineract user who took the step.
    fn taken_by(timeline: &LoanTimeline) -> Option<&str>;
}

/// Undoes a step of a loan.
#[derive(Debug)]
pub(super) struct Undo<S> {
    loan: String,
    note: Option<String>,
    step: PhantomData<S>,
}

/// The request body. Fineract accepts no other key, not even `locale`. Fineract answers 500 to an empty body, but it
/// accepts an empty object.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

impl<S: Step> Operation for Undo<S> {
    const TYPE: OperationType = S::UNDO;
    const REOPENS: Option<OperationType> = S::REOPENS;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required_id("external_loan_id");
        let note = fields.optional("note", rules::note());
        Some(Self {
            loan: loan?,
            note,
            step: PhantomData,
        })
    }

    fn checked(&self) -> Checked {
        Checked::on(Lane::loan(&self.loan))
    }

    fn fails_dependents(_: &[String]) -> bool {
        true
    }

    fn reads(&self, _: &Deployment, _: OperationId) -> Reads {
        Reads::of_loan(&self.loan)
    }

    fn plan(&self, facts: &Facts, _: &Context<'_>) -> Plan {
        let Some(loan) = &facts.loan else {
            return Refusal::not_found("loan");
        };
        let note = self.note.as_deref();
        send(Self::TYPE, loan.id, &Body { note })
    }

    /// An undo leaves nothing in Fineract that shows who undid the step. Only the absence of the undo can be shown:
    /// the loan has the status of the step, and one of the gateway's users took the step. The gateway cannot have
    /// taken this step after the undo, because later operations wait behind the undo in the lane. If the command
    /// waited for a checker, Fineract may name the checker instead of the gateway's user, so not even the absence can
    /// be shown.
    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(loan) = &facts.loan else {
            return Evidence::CannotTell("loan_not_found");
        };
        let taken_by = S::taken_by(&loan.timeline);
        if loan.status.id == S::LOAN_STATUS && !context.checked && context.is_own(taken_by) {
            Evidence::Absent
        } else {
            Evidence::CannotTell("undo_leaves_no_trace")
        }
    }
}
