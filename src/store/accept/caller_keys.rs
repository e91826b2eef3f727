//! The callers' idempotency keys: one key creates one operation.

use uuid::Uuid;

use super::{Accepted, CallerKey, NewOperation};
use crate::{
    domain::{OperationId, TrackingId},
    store::{Pool, StoreError, names, patience::WithTimeout},
};

/// The columns of the callers' keys of new operations, sorted by caller and key.
#[derive(Default)]
pub(super) struct CallerKeys {
    pub(super) callers: Vec<String>,
    pub(super) keys: Vec<String>,
    pub(super) digests: Vec<Vec<u8>>,
    pub(super) value_digests: Vec<Option<Vec<u8>>>,
    pub(super) ids: Vec<Uuid>,
}

impl CallerKeys {
    pub(super) fn of(batch: &[NewOperation]) -> Self {
        let mut keyed: Vec<_> = batch
            .iter()
            .filter_map(|new| Some((&new.caller, new.caller_key.as_ref()?, new.id)))
            .collect();
        keyed.sort_by(|a, b| (a.0, &a.1.key).cmp(&(b.0, &b.1.key)));
        Self {
            callers: keyed.iter().map(|(caller, ..)| (*caller).clone()).collect(),
            keys: keyed.iter().map(|(_, key, _)| key.key.clone()).collect(),
            digests: keyed
                .iter()
                .map(|(_, key, _)| key.digest.bytes.to_vec())
                .collect(),
            value_digests: keyed
                .iter()
                .map(|(_, key, _)| key.digest.value.map(Vec::from))
                .collect(),
            ids: keyed.iter().map(|(.., id)| id.0).collect(),
        }
    }
}

/// The result for an operation that was not inserted, because its caller has used the key before, in the same batch or
/// earlier.
pub(super) async fn read_replayed(pool: &Pool, new: &NewOperation) -> Result<Accepted, StoreError> {
    // A key is committed together with its operation.
    let unknown = StoreError::Unknown { what: "key" };
    let Some(key) = &new.caller_key else {
        return Err(unknown);
    };
    read(pool, &new.caller, key).await?.ok_or(unknown)
}

/// Finds the operation that was accepted under a key, and checks whether its request had the same body.
pub(super) async fn read(
    pool: &Pool,
    caller: &str,
    key: &CallerKey,
) -> Result<Option<Accepted>, StoreError> {
    let first = sqlx::query!(
        r#"SELECT i.operation_id AS id, COALESCE(o.type, p.type) AS "type!", i.digest, i.value_digest
             FROM idempotency i
             LEFT JOIN operation o ON o.id = i.operation_id
             LEFT JOIN past_operation p ON p.id = i.operation_id
            WHERE i.caller = $1 AND i.key = $2"#,
        caller,
        key.key
    )
    .fetch_optional(pool)
    .or_fail_to("read a caller's key")
    .await?;
    let Some(first) = first else {
        return Ok(None);
    };
    let operation_type = names::operation_type(&first.r#type)?;
    let is_same = key
        .digest
        .is_of_same(&first.digest, first.value_digest.as_deref());
    Ok(Some(if is_same {
        Accepted::Replayed(TrackingId {
            operation_type,
            id: OperationId(first.id),
        })
    } else {
        Accepted::KeyReused
    }))
}
