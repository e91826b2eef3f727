//! Ending a loan application for good: what rejecting and withdrawing it have in common.

use std::{collections::BTreeMap, marker::PhantomData};

use serde::Serialize;

use super::{
    Checked, Context, Day, Deployment, Evidence, Facts, Operation, Plan, Reads, Refusal,
    body::{DATE_FORMAT, LOCALE, Success, send},
    fields::Fields,
    rules,
};
use crate::domain::{Lane, LoanTimeline, OperationId, OperationType};

/// A way in which an application ends.
pub(super) trait Way {
    /// The type.
    const TYPE: OperationType;
    /// The key of its day, in the payload as in Fineract's body.
    const DAY: &'static str;
    /// The state that it leads to; nothing leads out of it (`docs/fineract/loans.md`, "Rejecting and withdrawing").
    const STATE: i32;
    /// What is said where somebody else has ended it so.
    const BY_ANOTHER: &'static str;

    /// On which day it ended so.
    fn on(timeline: &LoanTimeline) -> Option<Day>;

    /// Who ended it so.
    fn by(timeline: &LoanTimeline) -> Option<&str>;
}

/// Ends an application.
#[derive(Debug)]
pub(super) struct Ending<W> {
    loan: String,
    on: Day,
    note: Option<String>,
    way: PhantomData<W>,
}

/// What Fineract gets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(flatten)]
    on: BTreeMap<&'static str, Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    locale: &'static str,
    date_format: &'static str,
}

impl<W: Way> Operation for Ending<W> {
    const TYPE: OperationType = W::TYPE;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required_id("external_loan_id");
        let on = fields.required(W::DAY, rules::day);
        let note = fields.optional("note", rules::note);
        Some(Self {
            loan: loan?,
            on: on?,
            note,
            way: PhantomData,
        })
    }

    fn checked(&self) -> Checked {
        Checked::on(Lane::loan(&self.loan))
    }

    fn fails_dependents(_: &[String]) -> bool {
        false
    }

    fn reads(&self, _: &Deployment, _: OperationId) -> Reads {
        Reads::of_loan(&self.loan)
    }

    fn plan(&self, facts: &Facts, _: &Context<'_>) -> Plan {
        let Some(loan) = &facts.loan else {
            return Refusal::not_found("loan");
        };
        send(
            Self::TYPE,
            loan.id,
            &Body {
                on: BTreeMap::from([(W::DAY, self.on)]),
                note: self.note.as_deref(),
                locale: LOCALE,
                date_format: DATE_FORMAT,
            },
        )
    }

    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(loan) = &facts.loan else {
            return Evidence::CannotTell("loan_not_found");
        };
        if loan.status.id != W::STATE {
            Evidence::Absent
        } else if W::on(&loan.timeline) == Some(self.on) && context.is_own(W::by(&loan.timeline)) {
            Evidence::Ours(Success::loan(loan).body())
        } else {
            Evidence::NotOurs(W::BY_ANOTHER.to_owned())
        }
    }
}
