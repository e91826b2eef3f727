//! Who did what: written in the transaction of what was done.

use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    domain::OperationId,
    store::{Asking, StoreError},
};

/// Who acts, and by which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name of the token.
    pub name: String,
    /// The request's id.
    pub request_id: String,
}

/// What an operator can do.
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
    /// Writes down an action. The detail says where the operation stood and what was asked for.
    pub(super) async fn leaves(
        &self,
        connection: &mut PgConnection,
        action: Action,
        id: OperationId,
        detail: Value,
    ) -> Result<(), StoreError> {
        self.write(connection, action, Some(id), detail).await
    }

    /// Writes down an action that is about more than one operation.
    pub(super) async fn leaves_of_all(
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
