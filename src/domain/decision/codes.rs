//! Fineract's error codes, sorted by what they mean for an operation that met them.

/// What a refusal means. Judged by codes, never by texts, and by every code of the answer: a state
/// error may stand behind field errors (`docs/fineract/commands.md`, "The error body"). Of several codes the most
/// telling counts, which is the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// The gateway's password has expired: nothing will be taken.
    PasswordExpired,
    /// The gateway's user lacks a permission.
    PermissionMissing,
    /// A job holds the loan, or the scheduler everything; nothing is stored, said before the key.
    Locked,
    /// This server takes no writes: another may.
    ReadOnlyServer,
    /// Two wrote at once.
    Conflict,
    /// The database spoke: anything may be behind it.
    Ambiguous,
    /// What a lender needs is missing.
    LenderUnready,
    /// The office of new clients is missing.
    OfficeMissing,
    /// The payment type of references is missing.
    PaymentTypeMissing,
    /// It is there already, or the state has moved on.
    AlreadyThere,
    /// The request cannot be read; said before the key.
    Unreadable,
    /// Refused: by a rule, or for what was sent. Codes are an open set (`docs/fineract/commands.md`, "Codes are an
    /// open set"), and what nobody has sorted is such a refusal.
    Rule,
}

/// The meaning of one code.
fn meaning(code: &str) -> Meaning {
    match code {
        "error.msg.password.outdated" => Meaning::PasswordExpired,
        "error.msg.not.authorized" => Meaning::PermissionMissing,
        // (sic) `docs/fineract/outages.md`, "The nightly lock on a loan" and "Scheduler jobs".
        "error.msg.loan.locked" | "error.msg.sheduler.job.currently.running" => Meaning::Locked,
        "error.msg.invalid.instance.type" => Meaning::ReadOnlyServer,
        "error.msg.persistence.error" | "error.msg.data.integrity.issue" => Meaning::Ambiguous,
        "error.msg.loanproduct.id.invalid"
        | "error.msg.transactions.processing.strategy.code.invalid" => Meaning::LenderUnready,
        "error.msg.office.id.invalid" => Meaning::OfficeMissing,
        "error.msg.payment.type.invalid" => Meaning::PaymentTypeMissing,
        "error.msg.invalid.request.body"
        | "error.msg.invalid.json"
        | "error.msg.query.parameter.value.unsupported"
        | "error.msg.command.unsupported" => Meaning::Unreadable,
        _ if is_already_there(code) => Meaning::AlreadyThere,
        _ if code.starts_with("error.msg.platform.service.") && code.ends_with(".conflict") => {
            Meaning::Conflict
        }
        _ => Meaning::Rule,
    }
}

/// Duplicates and wrong states: what our own earlier attempt would leave behind
/// (`docs/fineract/outages.md`, "A new key where the effect is there"; `docs/fineract/commands.md`, "What each answer
/// says about a retry").
fn is_already_there(code: &str) -> bool {
    matches!(
        code,
        "error.msg.client.duplicate.externalId"
            | "error.msg.client.duplicate.mobileNo"
            | "error.msg.client.duplicate.accountNo"
            | "error.msg.client.unknown.data.integrity.issue"
            | "error.msg.loan.with.externalId.already.used"
            | "error.msg.loan.duplicate.externalId"
            | "error.msg.unknown.data.integrity.issue"
            | "error.msg.loan.disbursement.duplicate.externalId"
            | "error.msg.loan.disbursement.unknown.data.integrity.issue"
            | "validation.msg.loan.transaction.externalId.value.must.be.unique"
            | "error.msg.loan.disburse.amount.must.be.less.than.approved.amount"
            | "error.msg.loan.disburse.amount.must.be.less.than.approved.principal"
            | "error.msg.loan.cannot.modify.loan.in.its.present.state"
            | "error.msg.loan.cannot.delete.loan.in.its.present.state"
            | "error.msg.loan.withdraw.cannot.withdraw"
            | "error.msg.loan.must.be.active.fully.paid.or.overpaid"
            | "error.msg.clients.already.active"
    ) || (code.starts_with("error.msg.loan.") && code.contains(".account.is.not."))
}

/// What all the codes of a refusal mean together: the most telling one's meaning; `None` without any.
pub(super) fn weigh(codes: &[String]) -> Option<Meaning> {
    codes.iter().map(|code| meaning(code)).min()
}
