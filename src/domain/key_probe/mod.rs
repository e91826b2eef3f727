//! Is a key honoured? Asked with commands that Fineract must refuse (`docs/fineract/idempotency.md`, "Asking whether
//! a key is honoured").

use super::{Answer, Method, OperationType, Request};

/// A command as Fineract routes it: its endpoints move one by one to a pipeline that may ignore keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandKind {
    /// `POST /clients`.
    CreateClient,
    /// `PUT /clients/{id}`.
    UpdateClient,
    /// `POST /loans`.
    CreateLoan,
    /// `PUT /loans/{id}`.
    UpdateLoan,
    /// `?command=approve`.
    Approve,
    /// `?command=disburse`.
    Disburse,
    /// `?command=reject`; a delete goes with it.
    Reject,
    /// `?command=withdrawnByApplicant`.
    Withdraw,
    /// `?command=undoapproval`; `undodisbursal` goes with it.
    UndoApproval,
    /// `?command=repayment`.
    Repay,
}

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

impl CommandKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::CreateClient,
        Self::UpdateClient,
        Self::CreateLoan,
        Self::UpdateLoan,
        Self::Approve,
        Self::Disburse,
        Self::Reject,
        Self::Withdraw,
        Self::UndoApproval,
        Self::Repay,
    ];

    /// The kind by whose verdict a type's commands go. `undodisbursal` takes any body and does it, and a
    /// delete has none that could be wrong: they are never probed.
    pub const fn of(operation_type: OperationType) -> Self {
        match operation_type {
            OperationType::ClientCreate => Self::CreateClient,
            OperationType::ClientUpdate => Self::UpdateClient,
            OperationType::LoanCreate => Self::CreateLoan,
            OperationType::LoanUpdate => Self::UpdateLoan,
            OperationType::LoanApprove => Self::Approve,
            OperationType::LoanDisburse => Self::Disburse,
            OperationType::LoanReject | OperationType::LoanDelete => Self::Reject,
            OperationType::LoanWithdraw => Self::Withdraw,
            OperationType::LoanUndoApproval | OperationType::LoanUndoDisbursal => {
                Self::UndoApproval
            }
            OperationType::LoanRepayment => Self::Repay,
        }
    }

    /// The types whose commands go by its verdict.
    pub fn types(self) -> impl Iterator<Item = OperationType> {
        let all = OperationType::ALL.iter().copied();
        all.filter(move |operation_type| Self::of(*operation_type) == self)
    }

    /// Its stable name, in the table, the metrics and `/readyz`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateClient => "create_client",
            Self::UpdateClient => "update_client",
            Self::CreateLoan => "create_loan",
            Self::UpdateLoan => "update_loan",
            Self::Approve => "approve",
            Self::Disburse => "disburse",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::UndoApproval => "undo_approval",
            Self::Repay => "repay",
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
            Self::UpdateLoan | Self::Approve | Self::Reject | Self::Withdraw => PAST,
            Self::Disburse => ProbeSubject::Loan {
                states: NEVER_PAID_OUT,
                left_by: &[
                    Type::LoanCreate,
                    Type::LoanUpdate,
                    Type::LoanUndoApproval,
                    Type::LoanReject,
                    Type::LoanWithdraw,
                ],
            },
            Self::UndoApproval => ProbeSubject::Loan {
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
            Self::Repay => ProbeSubject::Loan {
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

    /// The probe, on the client or loan of that number where it has one.
    pub fn probe(self, number: i64) -> Request {
        const NO_CHANGE: &str = r#"{"probe":1}"#;
        let post = |path: String, body: &str| (Method::Post, path, body.to_owned());
        let command = |name: &str, body| post(format!("/loans/{number}?command={name}"), body);
        let (method, path, body) = match self {
            Self::CreateClient => post("/clients".to_owned(), "{}"),
            Self::CreateLoan => post("/loans".to_owned(), "{}"),
            Self::UpdateClient => (
                Method::Put,
                format!("/clients/{number}"),
                NO_CHANGE.to_owned(),
            ),
            Self::UpdateLoan => (
                Method::Put,
                format!("/loans/{number}"),
                NO_CHANGE.to_owned(),
            ),
            Self::Approve => command("approve", "{}"),
            Self::Disburse => command("disburse", "{}"),
            Self::Reject => command("reject", "{}"),
            Self::Withdraw => command("withdrawnByApplicant", "{}"),
            Self::UndoApproval => command("undoapproval", NO_CHANGE),
            Self::Repay => post(
                format!("/loans/{number}/transactions?command=repayment"),
                "{}",
            ),
        };
        Request {
            method,
            path,
            body: Some(body),
        }
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

/// What Fineract says before it looks at a command or its key: of the caller, or of the node
/// (`docs/fineract/commands.md`, "Refused before any resource is reached").
const BEFORE_THE_KEY: [&str; 3] = [
    "error.msg.not.authorized",
    "error.msg.password.outdated",
    "error.msg.invalid.instance.type",
];

/// Whether Fineract itself refused the command, as it would each time: not the caller, nor for now, nor
/// somebody in between.
fn is_refusal(answer: &Answer) -> bool {
    let codes = answer.codes();
    matches!(answer.status, 400..=499)
        && !matches!(answer.status, 401 | 404 | 408 | 409 | 425 | 429)
        && !codes.is_empty()
        && !codes
            .iter()
            .any(|code| BEFORE_THE_KEY.contains(&code.as_str()))
}

#[cfg(test)]
mod tests;
