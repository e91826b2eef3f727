//! Whether a failed row of a batch may be sent again (document 002).

use serde::Serialize;

use super::OperationType;

/// The document's three values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum RetryEligible {
    /// As it is: nothing is wrong with the request.
    Yes,
    /// Not at all: the state is wrong for ever, or someone else has done it.
    No,
    /// With other data.
    YesWithModifications,
}

/// Why an operation failed, as far as it counts for running it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Nothing of its own: it never was sent, or could not have been taken.
    Circumstances,
    /// Fineract failed inside, without an effect.
    FailedInside,
    /// Too early: what it is about is not there yet in the state it needs.
    TooEarly,
    /// What it is about has moved on.
    TooLate,
    /// Someone else has done it.
    DoneByAnother,
    /// What it is about is not there.
    NotThere,
    /// Refused for what it says: by the check, a guard of ours, or a rule of Fineract's.
    Request,
}

impl RetryEligible {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Yes, Self::No, Self::YesWithModifications];

    /// Of an operation that failed with this code (`result.code`: ours, or the first of Fineract's); the
    /// type of a row refused at the door may not be known.
    pub fn of(operation_type: Option<OperationType>, code: &str) -> Self {
        match cause(code) {
            Cause::Circumstances | Cause::FailedInside | Cause::TooEarly => Self::Yes,
            Cause::TooLate | Cause::DoneByAnother => Self::No,
            // What is to be deleted is gone, whoever did it.
            Cause::NotThere if operation_type == Some(OperationType::LoanDelete) => Self::No,
            Cause::NotThere | Cause::Request => Self::YesWithModifications,
        }
    }

    /// The document's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "Yes",
            Self::No => "No",
            Self::YesWithModifications => "YesWithModifications",
        }
    }

    /// The value of that word, if it is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// The cause behind a code; what is not named here was refused for what it says (`CONTRACT.md` section 18).
fn cause(code: &str) -> Cause {
    match code {
        "behind_failed"
        | "cancelled"
        | "expired"
        | "error.msg.client.not.active.exception"
        | "error.msg.loan.locked"
        // (sic) `CONTRACT.md` section 14.
        | "error.msg.sheduler.job.currently.running" => Cause::Circumstances,
        "error.msg.persistence.error"
        | "error.msg.data.integrity.issue"
        | "error.msg.platform.server.side.error" => Cause::FailedInside,
        "error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state"
        | "error.msg.loan.must.be.active.fully.paid.or.overpaid" => Cause::TooEarly,
        "done_by_another"
        // A transaction has our id already, on whatever loan (`CONTRACT.md` section 16.1).
        | "error.msg.loan.disbursement.duplicate.externalId"
        | "validation.msg.loan.transaction.externalId.value.must.be.unique" => Cause::DoneByAnother,
        "error.msg.loan.cannot.modify.loan.in.its.present.state"
        | "error.msg.loan.cannot.delete.loan.in.its.present.state"
        | "error.msg.loan.withdraw.cannot.withdraw"
        | "error.msg.loan.status.not.written.off.update.not.allowed"
        | "error.msg.loan.transfer.transaction.update.not.allowed"
        | "error.msg.loan.written.off.update.not.allowed" => Cause::TooLate,
        "not_found"
        | "status_404"
        | "error.msg.client.id.invalid"
        | "error.msg.client.not.found.with.client.id"
        | "error.msg.loan.id.invalid"
        | "error.msg.loan.external.id.invalid" => Cause::NotThere,
        _ if is_wrong_state(code) => Cause::TooLate,
        _ if is_failure_inside(code) => Cause::FailedInside,
        _ => Cause::Request,
    }
}

/// Approvals, rejections and undos of a loan that is not, or no longer, where they need it.
fn is_wrong_state(code: &str) -> bool {
    code.starts_with("error.msg.loan.") && code.contains(".account.is.not.")
}

/// An answer without a code, by its status, or two writers at once.
fn is_failure_inside(code: &str) -> bool {
    code.starts_with("status_5")
        || code == "status_409"
        || (code.starts_with("error.msg.platform.service.") && code.ends_with(".conflict"))
}

#[cfg(test)]
mod tests {
    use super::RetryEligible::{No, Yes, YesWithModifications};
    use super::*;

    #[test]
    fn how_a_row_ended_says_whether_it_may_be_sent_again() {
        use OperationType::{
            ClientCreate, LoanApprove, LoanCreate, LoanDelete, LoanDisburse, LoanUpdate,
        };
        let table: &[(OperationType, RetryEligible, &[&str])] = &[
            // Never sent, for nothing of its own.
            (LoanApprove, Yes, &["behind_failed", "cancelled", "expired"]),
            (LoanCreate, Yes, &["error.msg.client.not.active.exception"]),
            // Inside Fineract, without an effect.
            (
                LoanApprove,
                Yes,
                &["status_500", "status_503", "status_409"],
            ),
            (LoanApprove, Yes, &["error.msg.platform.server.side.error"]),
            (
                LoanApprove,
                Yes,
                &["error.msg.platform.service.loan.conflict"],
            ),
            (
                ClientCreate,
                Yes,
                &[
                    "error.msg.persistence.error",
                    "error.msg.data.integrity.issue",
                ],
            ),
            // Not yet.
            (
                LoanDisburse,
                Yes,
                &["error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state"],
            ),
            // Not any more.
            (
                LoanApprove,
                No,
                &["error.msg.loan.approve.account.is.not.submitted.and.pending.state"],
            ),
            (
                LoanUpdate,
                No,
                &["error.msg.loan.cannot.modify.loan.in.its.present.state"],
            ),
            (
                LoanDelete,
                No,
                &["error.msg.loan.cannot.delete.loan.in.its.present.state"],
            ),
            (LoanApprove, No, &["done_by_another"]),
            (
                LoanDisburse,
                No,
                &["error.msg.loan.disbursement.duplicate.externalId"],
            ),
            (
                LoanDelete,
                No,
                &[
                    "not_found",
                    "status_404",
                    "error.msg.loan.external.id.invalid",
                ],
            ),
            // For what it says: the check, our own guards, Fineract's rules.
            (
                LoanApprove,
                YesWithModifications,
                &["invalid_row", "invalid_payload", "status_400"],
            ),
            (
                LoanApprove,
                YesWithModifications,
                &["not_found", "error.msg.loan.external.id.invalid"],
            ),
            (
                LoanUpdate,
                YesWithModifications,
                &["term_not_a_multiple", "tranches_exceed_principal"],
            ),
            (
                LoanDisburse,
                YesWithModifications,
                &["reference_used", "exceeds_approved_principal"],
            ),
            (
                LoanDisburse,
                YesWithModifications,
                &["no_open_tranche", "nothing_to_pay"],
            ),
            (
                LoanApprove,
                YesWithModifications,
                &["validation.msg.loan.approvedOnDate.cannot.be.blank"],
            ),
            (
                LoanApprove,
                YesWithModifications,
                &["error.msg.loan.approval.cannot.be.before.submittal.date"],
            ),
            (
                ClientCreate,
                YesWithModifications,
                &["error.msg.client.duplicate.externalId"],
            ),
            (
                ClientCreate,
                YesWithModifications,
                &["error.msg.client.duplicate.mobileNo"],
            ),
            (
                LoanCreate,
                YesWithModifications,
                &["error.msg.loan.with.externalId.already.used"],
            ),
            (
                LoanDisburse,
                YesWithModifications,
                &["error.msg.loan.disburse.amount.must.be.less.than.approved.principal"],
            ),
        ];
        for (operation_type, expected, codes) in table {
            for code in *codes {
                let found = RetryEligible::of(Some(*operation_type), code);
                assert_eq!(found, *expected, "{operation_type} {code}");
            }
        }
        assert_eq!(RetryEligible::of(None, "invalid_row"), YesWithModifications);
    }

    #[test]
    fn the_words_are_the_documents() {
        for value in RetryEligible::ALL {
            assert_eq!(RetryEligible::from_name(value.as_str()), Some(value));
            let written = serde_json::to_value(value).unwrap();
            assert_eq!(written, value.as_str());
        }
        assert_eq!(RetryEligible::from_name("yes"), None);
    }
}
