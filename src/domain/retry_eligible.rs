//! Whether a failed row of a batch may be sent again (document 002).

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    OperationType,
    error_codes::{self, Cause},
};

/// The three values that document 002 defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, JsonSchema, Serialize)]
pub enum RetryEligible {
    /// The row may be sent again unchanged: nothing is wrong with the request.
    Yes,
    /// The row may not be sent again: the state of the client or loan no longer allows it, or someone else has already
    /// made the effect.
    No,
    /// The row may be sent again with other data.
    YesWithModifications,
}

impl RetryEligible {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Yes, Self::No, Self::YesWithModifications];

    /// The value for an operation that failed with this code (`result.code`: a code of the gateway, or the first code
    /// of Fineract). The type may be unknown (`None`) if the row was refused at acceptance.
    pub fn of(operation_type: Option<OperationType>, code: &str) -> Self {
        match cause(code) {
            Cause::Circumstances | Cause::Stopped | Cause::FailedInside | Cause::TooEarly => {
                Self::Yes
            }
            Cause::TooLate | Cause::DoneByAnother => Self::No,
            // The loan that was to be deleted no longer exists. Who deleted it does not matter.
            Cause::NotThere if operation_type == Some(OperationType::LoanDelete) => Self::No,
            Cause::NotThere | Cause::Request => Self::YesWithModifications,
        }
    }

    /// Whether an operation that failed with this code runs again only if the client names its row. Such an operation
    /// was stopped by somebody or by its expiry, so a retry of all failed rows does not include it.
    pub fn must_be_named(code: &str) -> bool {
        cause(code) == Cause::Stopped
    }

    /// The name in document 002.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "Yes",
            Self::No => "No",
            Self::YesWithModifications => "YesWithModifications",
        }
    }

    /// The value with this name, if it exists.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// The cause of a failure with this code of the gateway or of Fineract.
fn cause(code: &str) -> Cause {
    match code {
        "cancelled" | "expired" | "behind_stopped" => Cause::Stopped,
        "behind_failed" | "resolved_as_failed" => Cause::Circumstances,
        "done_by_another" => Cause::DoneByAnother,
        "not_found" | "status_404" => Cause::NotThere,
        "status_409" => Cause::FailedInside,
        _ if code.starts_with("status_5") => Cause::FailedInside,
        _ => error_codes::cause(code),
    }
}

#[cfg(test)]
mod tests {
    use super::RetryEligible::{No, Yes, YesWithModifications};
    use super::*;

    use OperationType::{
        ClientCreate, LoanApprove, LoanCreate, LoanDelete, LoanDisburse, LoanRepayment, LoanUpdate,
    };

    fn check(expected: RetryEligible, operation_type: OperationType, codes: &[&str]) {
        for code in codes {
            let found = RetryEligible::of(Some(operation_type), code);
            assert_eq!(found, expected, "{operation_type} {code}");
        }
    }

    #[test]
    fn what_nothing_is_wrong_with_goes_again_as_it_is() {
        check(
            Yes,
            LoanApprove,
            &[
                "behind_failed",
                "behind_stopped",
                "cancelled",
                "expired",
                "resolved_as_failed",
            ],
        );
        check(Yes, LoanCreate, &["error.msg.client.not.active.exception"]);
        check(
            Yes,
            LoanApprove,
            &["status_500", "status_503", "status_409"],
        );
        check(Yes, LoanApprove, &["error.msg.platform.server.side.error"]);
        check(
            Yes,
            LoanApprove,
            &["error.msg.platform.service.loan.conflict"],
        );
        check(Yes, ClientCreate, &["error.msg.persistence.error"]);
        check(Yes, ClientCreate, &["error.msg.data.integrity.issue"]);
        let not_yet = "error.msg.loan.must.be.active.fully.paid.or.overpaid";
        check(Yes, LoanRepayment, &[not_yet]);
    }

    #[test]
    fn what_has_moved_on_goes_no_more() {
        let approved = "error.msg.loan.approve.account.is.not.submitted.and.pending.state";
        check(No, LoanApprove, &[approved, "done_by_another"]);
        check(
            No,
            LoanUpdate,
            &["error.msg.loan.cannot.modify.loan.in.its.present.state"],
        );
        check(
            No,
            LoanDelete,
            &["error.msg.loan.cannot.delete.loan.in.its.present.state"],
        );
        check(
            No,
            LoanDelete,
            &[
                "not_found",
                "status_404",
                "error.msg.loan.external.id.invalid",
            ],
        );
        check(
            No,
            LoanDisburse,
            &["error.msg.loan.disbursement.duplicate.externalId"],
        );
    }

    #[test]
    fn what_is_wrong_by_what_it_says_needs_other_data() {
        let check =
            |operation_type, codes: &[&str]| check(YesWithModifications, operation_type, codes);
        check(
            LoanApprove,
            &["invalid_row", "invalid_payload", "status_400", "not_found"],
        );
        check(LoanApprove, &["error.msg.loan.external.id.invalid"]);
        check(
            LoanUpdate,
            &["term_not_a_multiple", "tranches_exceed_principal"],
        );
        check(
            LoanDisburse,
            &[
                "reference_used",
                "exceeds_approved_principal",
                "no_open_tranche",
                "error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state",
            ],
        );
        check(
            LoanApprove,
            &["validation.msg.loan.approvedOnDate.cannot.be.blank"],
        );
        check(
            LoanApprove,
            &["error.msg.loan.approval.cannot.be.before.submittal.date"],
        );
        check(ClientCreate, &["error.msg.client.duplicate.externalId"]);
        check(ClientCreate, &["error.msg.client.duplicate.mobileNo"]);
        check(LoanCreate, &["error.msg.loan.with.externalId.already.used"]);
        let amount = "error.msg.loan.disburse.amount.must.be.less.than.approved.principal";
        check(LoanDisburse, &[amount]);
        assert_eq!(RetryEligible::of(None, "invalid_row"), YesWithModifications);
    }

    #[test]
    fn what_was_stopped_goes_again_only_when_it_is_named() {
        for (code, expected) in [
            ("cancelled", true),
            ("expired", true),
            ("behind_stopped", true),
            ("behind_failed", false),
            ("status_500", false),
        ] {
            assert_eq!(RetryEligible::must_be_named(code), expected, "{code}");
        }
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
