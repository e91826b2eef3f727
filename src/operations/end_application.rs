//! The common part of `LOAN_REJECT` and `LOAN_WITHDRAW`: both end a loan application permanently.

use std::{collections::BTreeMap, marker::PhantomData};

use serde::Serialize;

use super::{
    body::{DATE_FORMAT, LOCALE, Success, send},
    deployment::Deployment,
    fields::Fields,
    operation::{Context, Evidence, Operation, Plan, Refusal},
    rules,
};
use crate::domain::{Checked, Day, Facts, Lane, LoanTimeline, OperationId, OperationType, Reads};

/// A way to end an application.
pub(super) trait ApplicationEnd {
    /// The operation type.
    const TYPE: OperationType;
    /// The key of the date, in the payload as well as in the request body.
    const DATE_FIELD: &'static str;
    /// The status of the loan after the end of the application. This status is final (`docs/fineract/loans.md`,
    /// "Rejecting and withdrawing").
    const LOAN_STATUS: i32;
    /// The message if somebody else has ended the application in this way.
    const ENDED_BY_ANOTHER: &'static str;

    /// The date on which the application was ended in this way.
    fn ended_on(timeline: &LoanTimeline) -> Option<Day>;

    /// The Fineract user who ended the application in this way.
    fn ended_by(timeline: &LoanTimeline) -> Option<&str>;
}

/// Ends a loan application.
#[derive(Debug)]
pub(super) struct EndApplication<E> {
    loan: String,
    on: Day,
    note: Option<String>,
    end: PhantomData<E>,
}

/// The request body.
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

impl<E: ApplicationEnd> Operation for EndApplication<E> {
    const TYPE: OperationType = E::TYPE;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required_id("external_loan_id");
        let on = fields.required(E::DATE_FIELD, rules::day());
        let note = fields.optional("note", rules::note());
        Some(Self {
            loan: loan?,
            on: on?,
            note,
            end: PhantomData,
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
                on: BTreeMap::from([(E::DATE_FIELD, self.on)]),
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
        if loan.status.id != E::LOAN_STATUS {
            Evidence::Absent
        } else if E::ended_on(&loan.timeline) == Some(self.on)
            && context.is_own(E::ended_by(&loan.timeline))
        {
            Evidence::Ours(Success::loan(loan).body())
        } else {
            Evidence::NotOurs(E::ENDED_BY_ANOTHER.to_owned())
        }
    }
}
