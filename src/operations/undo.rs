//! Taking a loan's last step back: what the undos have in common.

use std::marker::PhantomData;

use serde::Serialize;

use super::{
    Checked, Context, Deployment, Evidence, Facts, Operation, Plan, Reads, Refusal, body::send,
    fields::Fields, rules,
};
use crate::domain::{Lane, LoanTimeline, OperationId, OperationType};

/// A step of a loan that can be taken back.
pub(super) trait Step {
    /// The type that takes it back.
    const UNDO: OperationType;
    /// The type whose late commands that would let in again.
    const REOPENS: Option<OperationType>;
    /// The state in which the step has left the loan.
    const STATE: i32;

    /// Who took it.
    fn by(timeline: &LoanTimeline) -> Option<&str>;
}

/// Takes a step back.
#[derive(Debug)]
pub(super) struct Undo<S> {
    loan: String,
    note: Option<String>,
    step: PhantomData<S>,
}

/// What Fineract gets. It knows no other key, not even `locale`; an empty body is a 500, an empty object
/// is not.
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
        let note = fields.optional("note", rules::note);
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

    /// An undo leaves nothing behind that names who did it. What can be told is that it has not
    /// happened: while what stands is our own, for ours come after it in its lane; not where a checker's
    /// name stands under everything.
    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(loan) = &facts.loan else {
            return Evidence::CannotTell("loan_not_found");
        };
        let by = S::by(&loan.timeline);
        if loan.status.id == S::STATE && !context.checked && context.is_own(by) {
            Evidence::Absent
        } else {
            Evidence::CannotTell("undo_leaves_no_trace")
        }
    }
}
