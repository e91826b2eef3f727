//! The list of all commands that the gateway sends to Fineract (`docs/fineract/commands.md`, "The commands").

use super::{Method, OperationType, Request};

/// A command, as Fineract routes it. Everything that depends on the command is a `match` without a wildcard, here and
/// in `key_probe`. When a command is added, the compiler therefore demands a decision in each of these places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FineractCommand {
    /// `POST /clients`.
    CreateClient,
    /// `PUT /clients/{id}`.
    UpdateClient,
    /// `POST /loans`.
    CreateLoan,
    /// `PUT /loans/{id}`.
    UpdateLoan,
    /// `DELETE /loans/{id}`.
    DeleteLoan,
    /// `POST /loans/{id}?command=approve`.
    ApproveLoan,
    /// `POST /loans/{id}?command=reject`.
    RejectLoan,
    /// `POST /loans/{id}?command=withdrawnByApplicant`.
    WithdrawLoan,
    /// `POST /loans/{id}?command=disburse`.
    DisburseLoan,
    /// `POST /loans/{id}?command=undoapproval`.
    UndoApproval,
    /// `POST /loans/{id}?command=undodisbursal`.
    UndoDisbursal,
    /// `POST /loans/{id}/transactions?command=repayment`.
    RepayLoan,
}

/// The resource that a command addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// All clients or all loans: the command creates one.
    Collection,
    /// One client or loan.
    One,
    /// The transactions of one loan.
    Transactions,
}

impl FineractCommand {
    /// Every command.
    pub const ALL: [Self; 12] = [
        Self::CreateClient,
        Self::UpdateClient,
        Self::CreateLoan,
        Self::UpdateLoan,
        Self::DeleteLoan,
        Self::ApproveLoan,
        Self::RejectLoan,
        Self::WithdrawLoan,
        Self::DisburseLoan,
        Self::UndoApproval,
        Self::UndoDisbursal,
        Self::RepayLoan,
    ];

    /// The command that an operation of this type sends.
    pub const fn of(operation_type: OperationType) -> Self {
        match operation_type {
            OperationType::ClientCreate => Self::CreateClient,
            OperationType::ClientUpdate => Self::UpdateClient,
            OperationType::LoanCreate => Self::CreateLoan,
            OperationType::LoanUpdate => Self::UpdateLoan,
            OperationType::LoanApprove => Self::ApproveLoan,
            OperationType::LoanDisburse => Self::DisburseLoan,
            OperationType::LoanDelete => Self::DeleteLoan,
            OperationType::LoanRepayment => Self::RepayLoan,
            OperationType::LoanReject => Self::RejectLoan,
            OperationType::LoanWithdraw => Self::WithdrawLoan,
            OperationType::LoanUndoApproval => Self::UndoApproval,
            OperationType::LoanUndoDisbursal => Self::UndoDisbursal,
        }
    }

    /// The command with this method and path, or `None` if the gateway sends no such command.
    pub fn of_request(method: Method, path: &str) -> Option<Self> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut parts = path.split('/').skip(1);
        let resource = parts.next()?;
        let address = match (parts.next(), parts.next()) {
            (None, _) => Address::Collection,
            (Some(_), None) => Address::One,
            (Some(_), Some("transactions")) => Address::Transactions,
            (Some(_), Some(_)) => return None,
        };
        let parameter = query.strip_prefix("command=");
        Self::ALL.into_iter().find(|command| {
            command.method() == method
                && command.resource() == resource
                && command.address() == address
                && command.parameter() == parameter
        })
    }

    /// The HTTP method of the command.
    pub const fn method(self) -> Method {
        match self {
            Self::UpdateClient | Self::UpdateLoan => Method::Put,
            Self::DeleteLoan => Method::Delete,
            Self::CreateClient
            | Self::CreateLoan
            | Self::ApproveLoan
            | Self::RejectLoan
            | Self::WithdrawLoan
            | Self::DisburseLoan
            | Self::UndoApproval
            | Self::UndoDisbursal
            | Self::RepayLoan => Method::Post,
        }
    }

    /// The first segment of the path: `clients` or `loans`.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::CreateClient | Self::UpdateClient => "clients",
            Self::CreateLoan
            | Self::UpdateLoan
            | Self::DeleteLoan
            | Self::ApproveLoan
            | Self::RejectLoan
            | Self::WithdrawLoan
            | Self::DisburseLoan
            | Self::UndoApproval
            | Self::UndoDisbursal
            | Self::RepayLoan => "loans",
        }
    }

    pub(super) const fn address(self) -> Address {
        match self {
            Self::CreateClient | Self::CreateLoan => Address::Collection,
            Self::UpdateClient
            | Self::UpdateLoan
            | Self::DeleteLoan
            | Self::ApproveLoan
            | Self::RejectLoan
            | Self::WithdrawLoan
            | Self::DisburseLoan
            | Self::UndoApproval
            | Self::UndoDisbursal => Address::One,
            Self::RepayLoan => Address::Transactions,
        }
    }

    /// The value of `?command=`, which is also the label in the metrics. `None` if the command has no such parameter.
    pub const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::ApproveLoan => Some("approve"),
            Self::RejectLoan => Some("reject"),
            Self::WithdrawLoan => Some("withdrawnByApplicant"),
            Self::DisburseLoan => Some("disburse"),
            Self::UndoApproval => Some("undoapproval"),
            Self::UndoDisbursal => Some("undodisbursal"),
            Self::RepayLoan => Some("repayment"),
            Self::CreateClient
            | Self::UpdateClient
            | Self::CreateLoan
            | Self::UpdateLoan
            | Self::DeleteLoan => None,
        }
    }

    /// The action and the entity under which Fineract stores the command and its key (`docs/fineract/idempotency.md`,
    /// "What a key covers").
    pub const fn task(self) -> (&'static str, &'static str) {
        match self {
            Self::CreateClient => ("CREATE", "CLIENT"),
            Self::UpdateClient => ("UPDATE", "CLIENT"),
            Self::CreateLoan => ("CREATE", "LOAN"),
            Self::UpdateLoan => ("UPDATE", "LOAN"),
            Self::DeleteLoan => ("DELETE", "LOAN"),
            Self::ApproveLoan => ("APPROVE", "LOAN"),
            Self::RejectLoan => ("REJECT", "LOAN"),
            Self::WithdrawLoan => ("WITHDRAW", "LOAN"),
            Self::DisburseLoan => ("DISBURSE", "LOAN"),
            Self::UndoApproval => ("APPROVALUNDO", "LOAN"),
            Self::UndoDisbursal => ("DISBURSALUNDO", "LOAN"),
            Self::RepayLoan => ("REPAYMENT", "LOAN"),
        }
    }

    /// Whether a first command does no harm if Fineract executes it late, after a second command under a new key. For
    /// most commands, a natural key (an external id, or the state of the loan) makes Fineract refuse the later of the
    /// two commands. But a late update may overwrite a newer update, and a late undo may undo something that was done
    /// again.
    pub const fn late_copy_is_harmless(self) -> bool {
        match self {
            Self::CreateClient
            | Self::CreateLoan
            | Self::DeleteLoan
            | Self::ApproveLoan
            | Self::RejectLoan
            | Self::WithdrawLoan
            | Self::DisburseLoan
            | Self::RepayLoan => true,
            Self::UpdateClient | Self::UpdateLoan | Self::UndoApproval | Self::UndoDisbursal => {
                false
            }
        }
    }

    /// The request for this command. `number` is the number of the client or loan that the command addresses; a create
    /// ignores it.
    pub fn request(self, number: i64, body: Option<String>) -> Request {
        let resource = self.resource();
        let mut path = match self.address() {
            Address::Collection => format!("/{resource}"),
            Address::One => format!("/{resource}/{number}"),
            Address::Transactions => format!("/{resource}/{number}/transactions"),
        };
        if let Some(parameter) = self.parameter() {
            path = format!("{path}?command={parameter}");
        }
        Request {
            method: self.method(),
            path,
            body,
        }
    }
}

impl Request {
    /// The command that this request is, or `None` if the gateway sends no such command.
    pub fn command(&self) -> Option<FineractCommand> {
        FineractCommand::of_request(self.method, &self.path)
    }
}

#[cfg(test)]
mod tests;
