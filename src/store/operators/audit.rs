//! The audit: each row is written in the transaction of its action.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::OperationId,
    store::{StoreError, patience::WithTimeout},
};

/// The operator who acts, and the request for the action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// The name of the operator's token.
    pub name: String,
    /// The operator's credential; `None`: a token of the settings, or the command line.
    pub credential: Option<Uuid>,
    /// The request id.
    pub request_id: String,
    /// The address from which the request came.
    pub address: Option<String>,
    /// The reason for the action, in the words of the operator.
    pub reason: Option<String>,
    /// The repair that acts for the operator.
    pub repair: Option<Uuid>,
    /// What the operator saw of the operation (`Inspected::seen`). The action is refused if the operation has changed.
    pub seen: Option<String>,
}

/// The kinds of actions that the audit records.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) enum Action {
    Cancel,
    Retry,
    Resolve,
    Hold,
    Release,
    ConfirmBooks,
    ConfirmNumber,
    EndHold,
    StartRepair,
    StopRepair,
    Reveal,
    ResendWebhooks,
    CreateKey,
    RotateKey,
    RevokeKey,
    Erase,
}

impl Action {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Resolve => "resolve",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::ConfirmBooks => "confirm_books",
            Self::ConfirmNumber => "confirm_number",
            Self::EndHold => "end_hold",
            Self::StartRepair => "start_repair",
            Self::StopRepair => "stop_repair",
            Self::Reveal => "reveal",
            Self::ResendWebhooks => "resend_webhooks",
            Self::CreateKey => "create_key",
            Self::RotateKey => "rotate_key",
            Self::RevokeKey => "revoke_key",
            Self::Erase => "erase",
        }
    }
}

/// Locks an operation, and reads what the audit records of it before an action. The lanes of the operation must be
/// locked before, if the action needs them.
pub(super) async fn lock(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Value, StoreError> {
    const ACTION: &str = "lock the operation of an action";
    let hot = sqlx::query_scalar!(
        r#"SELECT json_build_object('state', state, 'on_hold', on_hold, 'reason_code', reason_code,
                                    'resolution', resolution) AS "before!"
             FROM operation
            WHERE id = $1
              FOR NO KEY UPDATE"#,
        id.0
    )
    .fetch_optional(&mut *connection)
    .or_fail_to(ACTION)
    .await?;
    if let Some(before) = hot {
        return Ok(before);
    }
    // An archived operation never changes, so it needs no lock.
    sqlx::query_scalar!(
        r#"SELECT json_build_object('state', state, 'on_hold', on_hold, 'reason_code', reason_code,
                                    'resolution', resolution) AS "before!"
             FROM archived_operations(ARRAY[$1::uuid])"#,
        id.0
    )
    .fetch_one(connection)
    .or_fail_to(ACTION)
    .await
}

impl Operator {
    /// Records an action on one operation, after the action. `before` is what [`lock`] returned. The detail contains
    /// what was requested.
    pub(super) async fn record(
        &self,
        connection: &mut PgConnection,
        action: Action,
        (id, before): (OperationId, Value),
        detail: Value,
    ) -> Result<(), StoreError> {
        self.write(connection, action, Some((id, before)), detail)
            .await
    }

    /// Records an action on more than one operation.
    pub(in crate::store) async fn record_for_all(
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
        operation: Option<(OperationId, Value)>,
        detail: Value,
    ) -> Result<(), StoreError> {
        let (id, before) = operation.unzip();
        sqlx::query!(
            "INSERT INTO audit (operator, action, operation_id, request_id, detail, address, reason, repair_id, before,
                                credential_id, after)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                     (SELECT json_build_object('state', state, 'on_hold', on_hold, 'reason_code', reason_code,
                                               'resolution', resolution)
                        FROM known_operations(ARRAY[$3::uuid])))",
            self.name,
            action.as_str(),
            id.map(|id| id.0),
            self.request_id,
            detail,
            self.address,
            self.reason,
            self.repair,
            before,
            self.credential
        )
        .execute(connection)
        .or_fail_to("write an audit row")
        .await
        .map(drop)
    }
}
