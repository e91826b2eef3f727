//! Probes whether Fineract honours idempotency keys, with commands that Fineract must refuse
//! (`docs/fineract/idempotency.md`, "Asking whether a key is honoured").

use super::{Answer, FineractCommand, OperationType, Request, error_codes};

/// The object to which a probe sends its command. Fineract must refuse the command on this object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeSubject {
    /// No object: Fineract refuses the command because of its body alone.
    Nothing,
    /// A client: Fineract refuses the command because its body contains no valid change.
    Client,
    /// A loan in one of `states`. In each of these states, Fineract refuses the command regardless of its body.
    Loan {
        /// The numbers of the states (`docs/fineract/loans.md`, "Loan states").
        states: &'static [i32],
        /// The operation types that, when they succeed, are likely to leave a loan in one of `states`.
        left_by: &'static [OperationType],
    },
}

/// The verdict of a probe that sent a command twice under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// The second answer was the stored answer of the key.
    Honoured,
    /// Fineract processed the command a second time instead of returning the stored answer, or Fineract executed the
    /// first command although the command had to be refused.
    NotHonoured,
    /// The answers show nothing about the key.
    Inconclusive,
}

/// Every state of a loan after "pending", except the transfer between two clients.
const PAST_PENDING: &[i32] = &[200, 300, 400, 500, 600, 601, 700];
/// The states in which Fineract refuses a disbursement. The states "active" and "closed" are not in the list: an
/// active loan with tranches can be disbursed again, and a disbursement may reopen a closed loan.
const NEVER_PAID_OUT: &[i32] = &[100, 400, 500];
const NOT_APPROVED: &[i32] = &[100, 300, 400, 500, 600, 601, 700];
const NOTHING_OWED_YET: &[i32] = &[100, 200, 400, 500];

impl FineractCommand {
    /// The commands that have a probe of their own.
    pub const PROBED: [Self; 10] = [
        Self::CreateClient,
        Self::UpdateClient,
        Self::CreateLoan,
        Self::UpdateLoan,
        Self::ApproveLoan,
        Self::DisburseLoan,
        Self::RejectLoan,
        Self::WithdrawLoan,
        Self::UndoApproval,
        Self::RepayLoan,
    ];

    /// The command whose probe also counts for this command. Two commands cannot be probed: Fineract executes
    /// `undodisbursal` with any body, and a delete has no body that could be invalid.
    #[must_use]
    pub const fn probed_as(self) -> Self {
        match self {
            Self::DeleteLoan => Self::RejectLoan,
            Self::UndoDisbursal => Self::UndoApproval,
            Self::CreateClient
            | Self::UpdateClient
            | Self::CreateLoan
            | Self::UpdateLoan
            | Self::ApproveLoan
            | Self::DisburseLoan
            | Self::RejectLoan
            | Self::WithdrawLoan
            | Self::UndoApproval
            | Self::RepayLoan => self,
        }
    }

    /// The operation types whose commands rely on the verdict of this probe.
    pub fn types_probed(self) -> impl Iterator<Item = OperationType> {
        let all = OperationType::ALL.iter().copied();
        all.filter(move |operation_type| Self::of(*operation_type).probed_as() == self)
    }

    /// The stable name of the probe in the table `key_probe`, in the metrics and in `/readyz`.
    pub const fn probe_name(self) -> &'static str {
        match self {
            Self::CreateClient => "create_client",
            Self::UpdateClient => "update_client",
            Self::CreateLoan => "create_loan",
            Self::UpdateLoan => "update_loan",
            Self::ApproveLoan => "approve",
            Self::DisburseLoan => "disburse",
            Self::RejectLoan | Self::DeleteLoan => "reject",
            Self::WithdrawLoan => "withdraw",
            Self::UndoApproval | Self::UndoDisbursal => "undo_approval",
            Self::RepayLoan => "repay",
        }
    }

    /// The object to which the probe of this command is sent.
    pub const fn subject(self) -> ProbeSubject {
        use OperationType as Type;
        const PAST: ProbeSubject = ProbeSubject::Loan {
            states: PAST_PENDING,
            left_by: &[
                Type::LoanDisburse,
                Type::LoanRepayment,
                Type::LoanApprove,
                Type::LoanUndoDisbursal,
                Type::LoanReject,
                Type::LoanWithdraw,
            ],
        };
        match self {
            Self::CreateClient | Self::CreateLoan => ProbeSubject::Nothing,
            Self::UpdateClient => ProbeSubject::Client,
            Self::UpdateLoan
            | Self::ApproveLoan
            | Self::RejectLoan
            | Self::DeleteLoan
            | Self::WithdrawLoan => PAST,
            Self::DisburseLoan => ProbeSubject::Loan {
                states: NEVER_PAID_OUT,
                left_by: &[
                    Type::LoanCreate,
                    Type::LoanUpdate,
                    Type::LoanUndoApproval,
                    Type::LoanReject,
                    Type::LoanWithdraw,
                ],
            },
            Self::UndoApproval | Self::UndoDisbursal => ProbeSubject::Loan {
                states: NOT_APPROVED,
                left_by: &[
                    Type::LoanDisburse,
                    Type::LoanRepayment,
                    Type::LoanCreate,
                    Type::LoanUpdate,
                    Type::LoanUndoApproval,
                    Type::LoanReject,
                    Type::LoanWithdraw,
                ],
            },
            Self::RepayLoan => ProbeSubject::Loan {
                states: NOTHING_OWED_YET,
                left_by: &[
                    Type::LoanCreate,
                    Type::LoanUpdate,
                    Type::LoanApprove,
                    Type::LoanUndoApproval,
                    Type::LoanUndoDisbursal,
                    Type::LoanReject,
                    Type::LoanWithdraw,
                ],
            },
        }
    }

    /// The probe: a request with a body that Fineract refuses. `number` is the number of the client or loan that the
    /// request addresses.
    pub fn probe(self, number: i64) -> Request {
        let body = match self {
            Self::UpdateClient | Self::UpdateLoan | Self::UndoApproval | Self::UndoDisbursal => {
                r#"{"probe":1}"#
            }
            Self::CreateClient
            | Self::CreateLoan
            | Self::DeleteLoan
            | Self::ApproveLoan
            | Self::RejectLoan
            | Self::WithdrawLoan
            | Self::DisburseLoan
            | Self::RepayLoan => "{}",
        };
        self.probed_as().request(number, Some(body.to_owned()))
    }
}

impl ProbeVerdict {
    /// The verdict that the first answer alone gives. `None` if the first answer is a refusal: then the command must
    /// be sent again.
    pub fn by_first(first: &Answer) -> Option<Self> {
        if is_done(first) && !first.cached {
            Some(Self::NotHonoured)
        } else if is_refusal(first) {
            None
        } else {
            Some(Self::Inconclusive)
        }
    }

    /// The verdict that the second answer gives, after a first answer that was a refusal or a success.
    pub fn by_second(second: &Answer) -> Self {
        if second.cached {
            Self::Honoured
        } else if is_done(second) || is_refusal(second) {
            Self::NotHonoured
        } else {
            Self::Inconclusive
        }
    }
}

const fn is_done(answer: &Answer) -> bool {
    matches!(answer.status, 200..=299)
}

/// Whether Fineract itself refused the command and would refuse the command every time. Refusals that concern the
/// gateway's user or the server, temporary refusals, and answers of a proxy do not count.
fn is_refusal(answer: &Answer) -> bool {
    matches!(answer.status, 400..=499)
        && !matches!(answer.status, 401 | 404 | 408 | 409 | 425 | 429)
        && error_codes::meaning(&answer.codes())
            .is_some_and(|meaning| !meaning.is_of_caller_or_server())
}

#[cfg(test)]
mod tests;
