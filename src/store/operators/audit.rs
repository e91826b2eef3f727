//! The audit: each row is written in the transaction of its action.

use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    domain::OperationId,
    store::{StoreError, patience::WithTimeout},
};

/// The operator who acts, and the request for the action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name of the operator's token.
    pub name: String,
    /// The request id.
    pub request_id: String,
}

/// The kinds of actions that the audit records.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Cancel,
    Retry,
    Resolve,
    Hold,
    Release,
    ConfirmBooks,
    ConfirmNumber,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Resolve => "resolve",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::ConfirmBooks => "confirm_books",
            Self::ConfirmNumber => "confirm_number",
        }
    }
}

impl Operator {
    /// Records an action on one operation. The detail contains the operation's state and what was requested.
    pub(super) async fn record(
        &self,
        connection: &mut PgConnection,
        action: Action,
        id: OperationId,
        detail: Value,
    ) -> Result<(), StoreError> {
        self.write(connection, action, Some(id), detail).await
    }

    /// Records an action on more than one operation.
    pub(super) async fn record_for_all(
        &self,
        connection: &mut PgConnection,
        action: Action,
        detail: Value,
    ) -> Result<(), StoreError> {
        self.write(connection, action, None, detail).await
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        action: Action,
        id: Option<OperationId>,
        detail: Value,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "INSERT INTO audit (operator, action, operation_id, request_id, detail)
             VALUES ($1, $2, $3, $4, $5)",
            self.name,
            action.as_str(),
            id.map(|id| id.0),
            self.request_id,
            detail
        )
        .execute(connection)
        .or_fail_to("write an audit row")
        .await
        .map(drop)
    }
}
