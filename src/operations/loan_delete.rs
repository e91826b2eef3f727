//! `LOAN_DELETE`: deletes a loan application.

use super::{
    body::Success,
    deployment::Deployment,
    fields::Fields,
    operation::{Context, Evidence, Operation, Plan, Refusal},
};
use crate::domain::{
    Checked, Facts, FineractCommand, Lane, OperationId, OperationType, Reads, Request,
};

/// Deletes a loan application (`docs/fineract/loans.md`, "Deleting an application").
#[derive(Debug)]
pub(super) struct LoanDelete {
    loan: String,
}

impl Operation for LoanDelete {
    const TYPE: OperationType = OperationType::LoanDelete;
    const LEAVES_NOTHING: bool = true;
    /// After the delete, the external id is free, so a late create could succeed.
    const REOPENS: Option<OperationType> = Some(OperationType::LoanCreate);

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let loan = fields.required_id("external_loan_id")?;
        Some(Self { loan })
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

    /// Addresses the loan by its number. If a loan is addressed by its external id and is already deleted, Fineract
    /// answers 404 before it checks the idempotency key.
    fn plan(&self, facts: &Facts, _: &Context<'_>) -> Plan {
        match &facts.loan {
            None => Refusal::not_found("loan"),
            Some(loan) => Plan::Send(FineractCommand::DeleteLoan.request(loan.id, None)),
        }
    }

    /// A delete leaves nothing that shows who deleted the loan, so the absence of the loan is the evidence.
    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let deleted = context
            .sent
            .filter(|request| request.command() == Some(FineractCommand::DeleteLoan))
            .and_then(Request::loan_id);
        match (&facts.loan, deleted) {
            (Some(loan), Some(id)) if loan.id == id => Evidence::Absent,
            (Some(_), None) => Evidence::CannotTell("loan_number_unknown"),
            // The loan was deleted. A loan that exists now was created later with the same external id.
            (Some(_), Some(_)) | (None, _) => {
                Evidence::Ours(Success::deleted_loan(deleted, &self.loan).body())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Method;
    use crate::operations::testing::{Case, evidence, loan, plan, problems};

    const PAYLOAD: &str = r#"{"external_loan_id":"LOAN-123"}"#;

    #[test]
    fn it_is_sent_by_number_and_without_a_body() {
        let request = Request {
            method: Method::Delete,
            path: "/loans/9".to_owned(),
            body: None,
        };
        let plan = plan::<LoanDelete>(PAYLOAD, &loan(&[]), Case::default());
        assert_eq!(plan, Plan::Send(request));
        assert_eq!(
            problems::<LoanDelete>("{}"),
            ["/data/external_loan_id required"]
        );
    }

    #[test]
    fn evidence_is_that_the_number_is_gone() {
        let ours = r#"{"loanId":9,"resourceId":9,"resourceExternalId":"LOAN-123"}"#;
        let request = |path: &str| Request {
            method: Method::Delete,
            path: path.to_owned(),
            body: None,
        };
        let sent = request("/loans/9");
        let sent = Case {
            sent: Some(&sent),
            ..Case::default()
        };
        let recreated = loan(&[("\"id\":9", "\"id\":12")]);
        for (facts, case, expected) in [
            (Facts::default(), sent, ours),
            (
                Facts::default(),
                Case::default(),
                r#"{"resourceExternalId":"LOAN-123"}"#,
            ),
            (loan(&[]), sent, "absent"),
            (loan(&[]), Case::default(), "cannot tell"),
            (recreated, sent, ours),
        ] {
            assert_eq!(evidence::<LoanDelete>(PAYLOAD, &facts, case), expected);
        }
    }
}
