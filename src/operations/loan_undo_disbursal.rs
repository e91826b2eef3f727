use serde::Serialize;

use super::{
    Checked, Context, Deployment, Evidence, Facts, Operation, Plan, Reads, Refusal, body::send,
    fields::Fields, rules,
};
use crate::domain::{Lane, LaneAccess, Method, OperationId, OperationType};

/// Takes every payout of a loan back, and with them all its transactions, repayments too (`CONTRACT.md`
/// section 11.2).
#[derive(Debug)]
pub(super) struct LoanUndoDisbursal {
    loan: String,
    note: Option<String>,
}

/// What Fineract gets. An empty body is a 500, an empty object is not.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

/// A loan that has been paid out, and is running.
const ACTIVE: i32 = 300;

impl Operation for LoanUndoDisbursal {
    const TYPE: OperationType = OperationType::LoanUndoDisbursal;
    /// Executed late, it would take back what was done since.
    const LATE_COMMAND_HARMLESS: bool = false;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required("external_loan_id", rules::external_id);
        let note = fields.optional("note", rules::note);
        Some(Self { loan: loan?, note })
    }

    fn checked(&self) -> Checked {
        Checked {
            lanes: LaneAccess {
                writes: Lane::loan(&self.loan),
                reads: None,
            },
            reference: None,
            lender: None,
        }
    }

    fn fells(_: &[String]) -> bool {
        true
    }

    fn reads(&self, _: &Deployment, _: OperationId) -> Reads {
        Reads {
            loan: Some(self.loan.clone()),
            ..Reads::default()
        }
    }

    fn plan(&self, facts: &Facts, _: &Context<'_>) -> Plan {
        let Some(loan) = &facts.loan else {
            return Refusal::not_found("loan");
        };
        let note = self.note.as_deref();
        send(
            Method::Post,
            format!("/loans/{}?command=undodisbursal", loan.id),
            &Body { note },
        )
    }

    /// An undo leaves nothing behind that names who did it. What can be told is that it has not
    /// happened: while what stands is our own, for ours come after it in its lane; not where a checker's
    /// name stands under everything.
    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(loan) = &facts.loan else {
            return Evidence::CannotTell("loan_not_found");
        };
        let payer = loan.timeline.disbursed_by_username.as_deref();
        if loan.status.id == ACTIVE && !context.checked && context.is_own(payer) {
            Evidence::Absent
        } else {
            Evidence::CannotTell("undo_leaves_no_trace")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::testing::{Case, body_of, evidence, loan, plan, problems};

    const PAYLOAD: &str = r#"{"external_loan_id":"LOAN-123"}"#;

    #[test]
    fn it_goes_by_number_with_nothing_but_a_note() {
        for (payload, body) in [
            (PAYLOAD, "{}"),
            (
                r#"{"external_loan_id":"LOAN-123","note":"back"}"#,
                r#"{"note":"back"}"#,
            ),
        ] {
            let plan = plan::<LoanUndoDisbursal>(payload, &loan(&[]), Case::default());
            assert_eq!(
                body_of(&plan, Method::Post, "/loans/9?command=undodisbursal"),
                body
            );
        }
        assert_eq!(
            problems::<LoanUndoDisbursal>(r#"{"note":1,"locale":"en"}"#),
            [
                "/data/external_loan_id required",
                "/data/note wrong_type",
                "/data/locale unknown_field"
            ]
        );
    }

    #[test]
    fn only_our_own_payout_proves_that_it_has_not_happened() {
        let standing = |status: i32, user: &str| {
            let status = format!("\"status\":{{\"id\":{status}");
            let timeline = format!(r#""timeline":{{"disbursedByUsername":"{user}","#);
            loan(&[
                ("\"status\":{\"id\":100", &status),
                ("\"timeline\":{", &timeline),
            ])
        };
        for (facts, expected) in [
            (standing(300, "Mifos"), "absent"),
            (standing(300, "clerk"), "cannot tell"),
            (standing(200, "mifos"), "cannot tell"),
            (loan(&[]), "cannot tell"),
            (Facts::default(), "cannot tell"),
        ] {
            assert_eq!(
                evidence::<LoanUndoDisbursal>(PAYLOAD, &facts, Case::default()),
                expected
            );
        }
    }
}
