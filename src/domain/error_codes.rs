//! The table of Fineract's error codes: what each code means for the command, and whether the operation may run
//! again.
//!
//! Only codes count, never message texts. The set of codes is open (`docs/fineract/commands.md`, "Codes are an open
//! set"): a code that is not in the table means that the request breaks a rule of Fineract.

use self::{Cause as C, Meaning as M, Pattern::Is};

/// What a refusal means for its command. If an answer has several codes, the meaning that comes first in this order
/// decides, because a state error may follow field errors (`docs/fineract/commands.md`, "The error body").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Meaning {
    /// The password of the gateway's user has expired. Fineract gives this answer before it checks the key.
    PasswordExpired,
    /// The gateway's user lacks a permission. In most cases, Fineract gives this answer before it checks the key.
    PermissionMissing,
    /// A nightly job has locked the loan, or the scheduler forbids all writes. Fineract gives this answer before it
    /// checks the key, and stores nothing.
    Locked,
    /// This server is read-only; another server may accept the command. Fineract gives this answer before it checks
    /// the key.
    ReadOnlyServer,
    /// Two requests wrote the same data at the same time.
    Conflict,
    /// The database reported an error that can have many causes.
    Ambiguous,
    /// Something that the lender's loans need is missing.
    LenderUnready,
    /// The office of new clients is missing.
    OfficeMissing,
    /// The payment type of references is missing.
    PaymentTypeMissing,
    /// The object exists already, or its state has changed. An earlier attempt of the same operation may have caused
    /// this.
    AlreadyThere,
    /// Fineract cannot parse the request. Fineract gives this answer before it checks the key.
    Unreadable,
    /// The request violates a rule of Fineract or contains an invalid value.
    Rule,
}

impl Meaning {
    /// Whether the refusal concerns the gateway's user or the server, and not the command. Such a refusal shows
    /// nothing about the key (`docs/fineract/commands.md`, "Refused before any resource is reached").
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

/// The cause of a failure, as far as it matters for running the operation again (`docs/fineract/commands.md`, "What
/// each answer says about a retry").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The operation itself is not the cause: it was never sent, or Fineract could not accept it at that time.
    Circumstances,
    /// The operation was stopped: cancelled, expired before it was sent, or a dependent of such an operation.
    Stopped,
    /// Fineract had an internal error, and the command had no effect.
    FailedInside,
    /// The client or loan has not yet reached the state that the operation needs.
    TooEarly,
    /// The client or loan has left the state that the operation needs.
    TooLate,
    /// Someone else has already made the operation's effect.
    DoneByAnother,
    /// The client or loan does not exist.
    NotThere,
    /// The request was refused by a check or guard of the gateway, or by a rule of Fineract.
    Request,
}

/// Selects the codes to which a row of the table applies.
enum Pattern {
    /// Exactly this code.
    Is(&'static str),
    /// Codes with this prefix that contain this text.
    Contains(&'static str, &'static str),
    /// Codes with this prefix and this suffix.
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

/// The first matching row applies.
#[rustfmt::skip]
const TABLE: &[(Pattern, Meaning, Cause)] = &[
    (Is("error.msg.password.outdated"), M::PasswordExpired, C::Request),
    (Is("error.msg.not.authorized"), M::PermissionMissing, C::Request),
    // Fineract itself spells the second code "sheduler" (`docs/fineract/outages.md`, "The nightly lock on a loan" and
    // "Scheduler jobs").
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
    // A transaction of this loan or of another loan already has the operation's external id
    // (`docs/fineract/payments.md`, "Refusals of a payout").
    (Is("error.msg.loan.disbursement.duplicate.externalId"), M::AlreadyThere, C::DoneByAnother),
    (Is("validation.msg.loan.transaction.externalId.value.must.be.unique"), M::AlreadyThere, C::DoneByAnother),
    (Is("error.msg.loan.disburse.amount.must.be.less.than.approved.amount"), M::AlreadyThere, C::Request),
    (Is("error.msg.loan.disburse.amount.must.be.less.than.approved.principal"), M::AlreadyThere, C::Request),
    (Is("error.msg.loan.cannot.modify.loan.in.its.present.state"), M::AlreadyThere, C::TooLate),
    (Is("error.msg.loan.cannot.delete.loan.in.its.present.state"), M::AlreadyThere, C::TooLate),
    (Is("error.msg.loan.withdraw.cannot.withdraw"), M::AlreadyThere, C::TooLate),
    (Is("error.msg.loan.must.be.active.fully.paid.or.overpaid"), M::AlreadyThere, C::TooEarly),
    // The loan is not approved yet, or already disbursed. Up to 1.10.1, Fineract also gives this answer if no tranche
    // is open (`docs/fineract/release-1.10.1.md`, "Payouts and approvals"); Fineract would then always refuse the
    // same disbursement.
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

/// The meaning of a refusal with these codes: of the meanings of all codes, the first in the order of [`Meaning`].
/// `None` if there is no code.
pub(super) fn meaning(codes: &[String]) -> Option<Meaning> {
    codes.iter().map(|code| row(code).0).min()
}

/// The cause of a failure whose first code is this code of Fineract.
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
