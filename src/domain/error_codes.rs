//! Fineract's error codes: the one table of what each means for a command, and for running its operation again.
//!
//! Judged by codes, never by texts. Codes are an open set (`docs/fineract/commands.md`, "Codes are an open set"): one that
//! is not in the table is a rule of Fineract's that the request breaks.

use self::{Cause as C, Meaning as M, Pattern::Is};

/// What a refusal means for its command. Of several codes in one answer the most telling one counts, which is the first in
/// this order: a state error may stand behind field errors (`docs/fineract/commands.md`, "The error body").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Meaning {
    /// The password of the gateway's user has expired. Said before the key is looked at.
    PasswordExpired,
    /// The gateway's user lacks a permission. Mostly said before the key is looked at.
    PermissionMissing,
    /// A nightly job holds the loan, or the scheduler forbids all writes. Said before the key is looked at; nothing is stored.
    Locked,
    /// This server takes no writes; another one may. Said before the key is looked at.
    ReadOnlyServer,
    /// Two requests wrote at the same time.
    Conflict,
    /// An error of the database: anything may be behind it.
    Ambiguous,
    /// Something that the lender's loans need is missing.
    LenderUnready,
    /// The office of new clients is missing.
    OfficeMissing,
    /// The payment type of references is missing.
    PaymentTypeMissing,
    /// It exists already, or the state has moved on: what an earlier attempt of our own would leave behind.
    AlreadyThere,
    /// The request cannot be read. Said before the key is looked at.
    Unreadable,
    /// A rule of Fineract's, or a value in the request.
    Rule,
}

impl Meaning {
    /// Whether the refusal concerns the caller or the server rather than the command, so that it tells nothing about the key
    /// (`docs/fineract/commands.md`, "Refused before any resource is reached").
    pub(super) const fn is_of_caller_or_server(self) -> bool {
        match self {
            Self::PasswordExpired | Self::PermissionMissing | Self::ReadOnlyServer => true,
            Self::Locked
            | Self::Conflict
            | Self::Ambiguous
            | Self::LenderUnready
            | Self::OfficeMissing
            | Self::PaymentTypeMissing
            | Self::AlreadyThere
            | Self::Unreadable
            | Self::Rule => false,
        }
    }
}

/// Why an operation failed, as far as it matters for running it again (`docs/fineract/commands.md`, "What each answer says
/// about a retry").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Not the operation itself: it was never sent, or Fineract could not take it then.
    Circumstances,
    /// It was stopped: cancelled, not sent by its deadline, or a dependent of an operation that was.
    Stopped,
    /// Fineract failed inside, without an effect.
    FailedInside,
    /// The client or loan is not yet in the state that the operation needs.
    TooEarly,
    /// The client or loan has left the state that the operation needs.
    TooLate,
    /// Somebody else has done it.
    DoneByAnother,
    /// The client or loan does not exist.
    NotThere,
    /// The request: refused by our check, a guard of ours, or a rule of Fineract's.
    Request,
}

/// Which codes a row is about.
enum Pattern {
    /// This one.
    Is(&'static str),
    /// Those with this beginning that contain this.
    Contains(&'static str, &'static str),
    /// Those with this beginning and this end.
    Ends(&'static str, &'static str),
}

impl Pattern {
    fn matches(&self, code: &str) -> bool {
        match *self {
            Is(known) => code == known,
            Self::Contains(start, part) => code.starts_with(start) && code.contains(part),
            Self::Ends(start, end) => code.starts_with(start) && code.ends_with(end),
        }
    }
}

/// The first row that matches counts.
#[rustfmt::skip]
const TABLE: &[(Pattern, Meaning, Cause)] = &[
    (Is("error.msg.password.outdated"), M::PasswordExpired, C::Request),
    (Is("error.msg.not.authorized"), M::PermissionMissing, C::Request),
    // (sic) `docs/fineract/outages.md`, "The nightly lock on a loan" and "Scheduler jobs".
    (Is("error.msg.loan.locked"), M::Locked, C::Circumstances),
    (Is("error.msg.sheduler.job.currently.running"), M::Locked, C::Circumstances),
    (Is("error.msg.invalid.instance.type"), M::ReadOnlyServer, C::Request),
    (Pattern::Ends("error.msg.platform.service.", ".conflict"), M::Conflict, C::FailedInside),
    (Is("error.msg.persistence.error"), M::Ambiguous, C::FailedInside),
    (Is("error.msg.data.integrity.issue"), M::Ambiguous, C::FailedInside),
    (Is("error.msg.platform.server.side.error"), M::Rule, C::FailedInside),
    (Is("error.msg.loanproduct.id.invalid"), M::LenderUnready, C::Request),
    (Is("error.msg.transactions.processing.strategy.code.invalid"), M::LenderUnready, C::Request),
    (Is("error.msg.office.id.invalid"), M::OfficeMissing, C::Request),
    (Is("error.msg.payment.type.invalid"), M::PaymentTypeMissing, C::Request),
    (Is("error.msg.invalid.request.body"), M::Unreadable, C::Request),
    (Is("error.msg.invalid.json"), M::Unreadable, C::Request),
    (Is("error.msg.query.parameter.value.unsupported"), M::Unreadable, C::Request),
    (Is("error.msg.command.unsupported"), M::Unreadable, C::Request),
    // Duplicates and wrong states (`docs/fineract/outages.md`, "A new key where the effect is there").
    (Is("error.msg.client.duplicate.externalId"), M::AlreadyThere, C::Request),
    (Is("error.msg.client.duplicate.mobileNo"), M::AlreadyThere, C::Request),
    (Is("error.msg.client.duplicate.accountNo"), M::AlreadyThere, C::Request),
    (Is("error.msg.client.unknown.data.integrity.issue"), M::AlreadyThere, C::Request),
    (Is("error.msg.clients.already.active"), M::AlreadyThere, C::Request),
    (Is("error.msg.loan.with.externalId.already.used"), M::AlreadyThere, C::Request),
    (Is("error.msg.loan.duplicate.externalId"), M::AlreadyThere, C::Request),
    (Is("error.msg.unknown.data.integrity.issue"), M::AlreadyThere, C::Request),
    (Is("error.msg.loan.disbursement.unknown.data.integrity.issue"), M::AlreadyThere, C::Request),
    // A transaction, of whatever loan, has our external id (`docs/fineract/payments.md`, "Refusals of a payout").
    (Is("error.msg.loan.disbursement.duplicate.externalId"), M::AlreadyThere, C::DoneByAnother),
    (Is("validation.msg.loan.transaction.externalId.value.must.be.unique"), M::AlreadyThere, C::DoneByAnother),
    (Is("error.msg.loan.disburse.amount.must.be.less.than.approved.amount"), M::AlreadyThere, C::Request),
    (Is("error.msg.loan.disburse.amount.must.be.less.than.approved.principal"), M::AlreadyThere, C::Request),
    (Is("error.msg.loan.cannot.modify.loan.in.its.present.state"), M::AlreadyThere, C::TooLate),
    (Is("error.msg.loan.cannot.delete.loan.in.its.present.state"), M::AlreadyThere, C::TooLate),
    (Is("error.msg.loan.withdraw.cannot.withdraw"), M::AlreadyThere, C::TooLate),
    (Is("error.msg.loan.must.be.active.fully.paid.or.overpaid"), M::AlreadyThere, C::TooEarly),
    // Not approved yet, or disbursed; up to 1.10.1 also without an open tranche (`docs/fineract/release-1.10.1.md`,
    // "Payouts and approvals"): the same disbursement would then be refused for ever.
    (Is("error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state"), M::AlreadyThere, C::Request),
    (Pattern::Contains("error.msg.loan.", ".account.is.not."), M::AlreadyThere, C::TooLate),
    (Is("error.msg.loan.status.not.written.off.update.not.allowed"), M::Rule, C::TooLate),
    (Is("error.msg.loan.transfer.transaction.update.not.allowed"), M::Rule, C::TooLate),
    (Is("error.msg.loan.written.off.update.not.allowed"), M::Rule, C::TooLate),
    (Is("error.msg.client.not.active.exception"), M::Rule, C::Circumstances),
    (Is("error.msg.client.id.invalid"), M::Rule, C::NotThere),
    (Is("error.msg.client.not.found.with.client.id"), M::Rule, C::NotThere),
    (Is("error.msg.loan.id.invalid"), M::Rule, C::NotThere),
    (Is("error.msg.loan.external.id.invalid"), M::Rule, C::NotThere),
];

fn row(code: &str) -> (Meaning, Cause) {
    let known = TABLE.iter().find(|(pattern, _, _)| pattern.matches(code));
    known.map_or((M::Rule, C::Request), |(_, meaning, cause)| {
        (*meaning, *cause)
    })
}

/// What all the codes of a refusal mean together: the most telling one's meaning; `None` without any.
pub(super) fn meaning(codes: &[String]) -> Option<Meaning> {
    codes.iter().map(|code| row(code).0).min()
}

/// Why an operation failed whose first code is this one of Fineract's.
pub(super) fn cause(code: &str) -> Cause {
    row(code).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_row() {
        for (number, (pattern, ..)) in TABLE.iter().enumerate() {
            if let Is(code) = pattern {
                let first = TABLE.iter().position(|(pattern, ..)| pattern.matches(code));
                assert_eq!(first, Some(number), "{code}");
            }
        }
    }

    #[test]
    fn of_several_codes_the_most_telling_counts() {
        let codes = |codes: &[&str]| codes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let field = "validation.msg.loan.principal.not.greater.than.zero";
        let state = "error.msg.loan.approve.account.is.not.submitted.and.pending.state";
        assert_eq!(meaning(&codes(&[field])), Some(M::Rule));
        assert_eq!(meaning(&codes(&[field, state])), Some(M::AlreadyThere));
        assert_eq!(meaning(&[]), None);
    }
}
