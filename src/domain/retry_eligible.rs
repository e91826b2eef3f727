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
    /// It was stopped: cancelled, not sent by its deadline, or behind one that was.
    Stopped,
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
            Cause::Circumstances | Cause::Stopped | Cause::FailedInside | Cause::TooEarly => {
                Self::Yes
            }
            Cause::TooLate | Cause::DoneByAnother => Self::No,
            // What is to be deleted is gone, whoever did it.
            Cause::NotThere if operation_type == Some(OperationType::LoanDelete) => Self::No,
            Cause::NotThere | Cause::Request => Self::YesWithModifications,
        }
    }

    /// Whether an operation that failed with this code is only run again by who names it: somebody, or its
    /// deadline, stopped it, and "all that failed" does not mean that.
    pub fn must_be_named(code: &str) -> bool {
        cause(code) == Cause::Stopped
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

/// The cause behind a code; what is not named here was refused for what it says (`docs/fineract/commands.md`, "What
/// each answer says about a retry").
fn cause(code: &str) -> Cause {
    match code {
        "cancelled" | "expired" | "behind_stopped" => Cause::Stopped,
        "behind_failed"
        | "resolved_as_failed"
        | "error.msg.client.not.active.exception"
        | "error.msg.loan.locked"
        // (sic) `docs/fineract/outages.md`, "Scheduler jobs".
        | "error.msg.sheduler.job.currently.running" => Cause::Circumstances,
        "error.msg.persistence.error"
        | "error.msg.data.integrity.issue"
        | "error.msg.platform.server.side.error" => Cause::FailedInside,
        "error.msg.loan.must.be.active.fully.paid.or.overpaid" => Cause::TooEarly,
        // Not approved yet, or paid out; up to 1.10.1 also without an open tranche
        // (`docs/fineract/release-1.10.1.md`, "Payouts and approvals"): for that a payout as it is would be refused
        // for ever.
        "error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state" => Cause::Request,
        "done_by_another"
        // A transaction has our id already, on whatever loan (`docs/fineract/payments.md`, "Refusals of a payout").
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
