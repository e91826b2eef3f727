//! The commands that the sandbox supports, each with Fineract's names for its action and its entity.

use rust_decimal::Decimal;

use super::books::Context;
use super::failure::Failure;
use super::json::{Json, Object, object};
use super::params::Params;
use super::{clients, loans, setup};

/// A kind of command: Fineract's names for its action and entity, and the function that runs it.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) action: &'static str,
    pub(super) entity: &'static str,
    run: fn(&mut Context<'_>, &Input) -> Result<Outcome, Failure>,
}

/// The input of a command: the number of its client or loan (0 for a creation), the number of its transaction (0 if it
/// has none), and its body.
#[derive(Clone, Debug, Default)]
pub(super) struct Input {
    pub(super) id: i64,
    pub(super) transaction_id: i64,
    pub(super) params: Params,
}

/// The outcome of a command: the values for the body of Fineract's answer, and for the ledger.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) office_id: Option<i64>,
    pub(super) client_id: Option<i64>,
    pub(super) loan_id: Option<i64>,
    pub(super) resource_id: Option<i64>,
    pub(super) sub_resource_id: Option<i64>,
    pub(super) changes: Option<Object>,
    pub(super) resource_external_id: Option<String>,
    pub(super) sub_resource_external_id: Option<String>,
    pub(super) posting: Posting,
}

/// The details of an effect that the ledger shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Posting {
    pub(super) external_id: Option<String>,
    pub(super) transaction_external_id: Option<String>,
    pub(super) amount: Option<Decimal>,
}

macro_rules! operations {
    ($($name:ident = $action:literal $entity:literal $run:path;)*) => {
        $(pub(super) static $name: Operation = Operation { action: $action, entity: $entity, run: $run };)*
    };
}

operations! {
    CREATE_CLIENT = "CREATE" "CLIENT" clients::create;
    UPDATE_CLIENT = "UPDATE" "CLIENT" clients::update;
    ACTIVATE_CLIENT = "ACTIVATE" "CLIENT" clients::activate;
    CLOSE_CLIENT = "CLOSE" "CLIENT" clients::close;
    DELETE_CLIENT = "DELETE" "CLIENT" clients::delete;
    CREATE_LOAN = "CREATE" "LOAN" loans::create;
    UPDATE_LOAN = "UPDATE" "LOAN" loans::update;
    DELETE_LOAN = "DELETE" "LOAN" loans::delete;
    APPROVE = "APPROVE" "LOAN" loans::approve;
    UNDO_APPROVAL = "APPROVALUNDO" "LOAN" loans::undo_approval;
    DISBURSE = "DISBURSE" "LOAN" loans::disburse;
    UNDO_DISBURSAL = "DISBURSALUNDO" "LOAN" loans::undo_disbursal;
    UNDO_LAST_DISBURSAL = "DISBURSALLASTUNDO" "LOAN" loans::undo_last_disbursal;
    REJECT = "REJECT" "LOAN" loans::reject;
    WITHDRAW = "WITHDRAW" "LOAN" loans::withdraw;
    REPAY = "REPAYMENT" "LOAN" loans::repay;
    ADJUST = "ADJUST" "LOAN" loans::adjust;
    WRITE_OFF = "WRITEOFF" "LOAN" loans::write_off;
    CLOSE_LOAN = "CLOSE" "LOAN" loans::close;
    FORECLOSE = "FORECLOSURE" "LOAN" loans::foreclose;
    CREATE_PRODUCT = "CREATE" "LOANPRODUCT" setup::create_product;
    CREATE_CHARGE = "CREATE" "CHARGE" setup::create_charge;
    CREATE_PAYMENT_TYPE = "CREATE" "PAYMENTTYPE" setup::create_payment_type;
    UPDATE_CURRENCIES = "UPDATE" "CURRENCY" setup::update_currencies;
}

impl Operation {
    /// The name of the permission: `ACTION_ENTITY`.
    pub(super) fn permission(&self) -> String {
        format!("{}_{}", self.action, self.entity)
    }

    /// Runs the command. A command that is refused changes nothing, except that it may use up an id.
    pub(super) fn run(&self, context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
        (self.run)(context, input)
    }

    /// Whether the ledger records the effects of this command. The ledger records only commands on clients and loans.
    pub(super) fn is_business(&self) -> bool {
        matches!(self.entity, "CLIENT" | "LOAN")
    }
}

impl Outcome {
    /// The body of the answer, with the keys in the order of `docs/fineract/commands.md`, "The result body".
    pub(super) fn body(&self, command_id: Option<i64>) -> Object {
        object! {
            "commandId": command_id,
            "officeId": self.office_id,
            "clientId": self.client_id,
            "loanId": self.loan_id,
            "resourceId": self.resource_id,
            "subResourceId": self.sub_resource_id,
            "changes": self.changes.clone(),
            "resourceExternalId": self.resource_external_id.as_deref(),
            "subResourceExternalId": self.sub_resource_external_id.as_deref(),
        }
    }

    /// The body that Fineract stores at first, until it replaces this body with the answer that was sent. The body
    /// contains every key, also keys whose value is null.
    pub(super) fn stored(&self) -> Object {
        let body = self.body(None);
        let keys = [
            "commandId",
            "officeId",
            "groupId",
            "clientId",
            "loanId",
            "savingsId",
            "resourceId",
            "subResourceId",
            "transactionId",
            "changes",
            "creditBureauReportData",
            "resourceIdentifier",
            "productId",
            "gsimId",
            "glimId",
            "rollbackTransaction",
            "resourceExternalId",
            "subResourceExternalId",
        ];
        keys.into_iter()
            .fold(Object::default(), |stored, key| match key {
                "rollbackTransaction" => stored.with(key, false),
                _ => stored.with_null(key, body.get(key).cloned().unwrap_or(Json::Null)),
            })
    }

    /// The answer to the maker of a command that waits for a checker (`docs/fineract/checkers.md`, "A command that
    /// waits for a checker").
    pub(super) fn pending(command_id: i64, resource_id: Option<i64>) -> Object {
        object! {
            "commandId": command_id,
            "resourceId": resource_id,
            "rollbackTransaction": true,
            "resourceExternalId": Object::default(),
            "subResourceExternalId": Object::default(),
        }
    }
}
