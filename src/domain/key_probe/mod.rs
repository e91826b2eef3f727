//! Is a key honoured? Asked with commands that Fineract must refuse (`docs/fineract/idempotency.md`, "Asking whether
//! a key is honoured").

use super::{Answer, FineractCommand, OperationType, Request, error_codes};

/// What a command is tried on, so that it must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeSubject {
    /// On nothing: its body alone is refused.
    Nothing,
    /// On a client: the body holds no change.
    Client,
    /// On a loan in one of these states, which forbid the command whatever its body; and the types of whose
    /// success such a state is likely to be left.
    Loan {
        /// Their numbers (`docs/fineract/loans.md`, "Loan states").
        states: &'static [i32],
        /// The last that succeeded.
        left_by: &'static [OperationType],
    },
}

/// What the answers to a command say that was sent twice under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySaid {
    /// The second one came from what is stored under the key.
    Honoured,
    /// The second one was made anew, or the first was carried out, which a probe is not to be.
    NotHonoured,
    /// Nothing about the key.
    Nothing,
}

/// Neither pending, nor on its way between two clients.
const PAST_PENDING: &[i32] = &[200, 300, 400, 500, 600, 601, 700];
/// A loan with tranches is paid out to again while it is active, and closed loans may be reopened so.
const NEVER_PAID_OUT: &[i32] = &[100, 400, 500];
const NOT_APPROVED: &[i32] = &[100, 300, 400, 500, 600, 601, 700];
const NOTHING_OWED_YET: &[i32] = &[100, 200, 400, 500];

impl FineractCommand {
    /// The commands that are probed.
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

    /// The command whose probe also tells about this one. Fineract executes `undodisbursal` with any body, and a delete has
    /// no body that could be wrong: these two cannot be probed.
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

    /// The operation types about whose keys its probe tells.
    pub fn types_probed(self) -> impl Iterator<Item = OperationType> {
        let all = OperationType::ALL.iter().copied();
        all.filter(move |operation_type| Self::of(*operation_type).probed_as() == self)
    }

    /// The stable name of its probe, in the table `key_probe`, the metrics and `/readyz`.
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

    /// What it is tried on.
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

    /// The probe, on the client or loan of that number where it is addressed to one: a body that Fineract refuses.
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

impl KeySaid {
    /// What the first answer says by itself; `None`: it is a refusal, and the second one tells.
    pub fn by_first(first: &Answer) -> Option<Self> {
        if is_done(first) && !first.cached {
            Some(Self::NotHonoured)
        } else if is_refusal(first) {
            None
        } else {
            Some(Self::Nothing)
        }
    }

    /// What the second answer says: the first was a refusal, or a success.
    pub fn by_second(second: &Answer) -> Self {
        if second.cached {
            Self::Honoured
        } else if is_done(second) || is_refusal(second) {
            Self::NotHonoured
        } else {
            Self::Nothing
        }
    }
}

const fn is_done(answer: &Answer) -> bool {
    matches!(answer.status, 200..=299)
}

/// Whether Fineract itself refused the command, as it would each time: not the caller, nor for now, nor
/// somebody in between.
fn is_refusal(answer: &Answer) -> bool {
    matches!(answer.status, 400..=499)
        && !matches!(answer.status, 401 | 404 | 408 | 409 | 425 | 429)
        && error_codes::meaning(&answer.codes())
            .is_some_and(|meaning| !meaning.is_of_caller_or_server())
}

#[cfg(test)]
mod tests;
