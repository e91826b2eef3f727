//! The callers' idempotency keys: one key creates one operation.

use std::collections::{HashMap, HashSet};

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{Accepted, CallerKey, NewOperation};
use crate::{
    domain::{OperationId, TrackingId},
    store::{StoreError, names, patience::WithTimeout},
};

/// Inserts the callers' keys, sorted by caller and key. Returns the operations whose key is already used.
pub(super) async fn insert_caller_keys(
    connection: &mut PgConnection,
    batch: &[NewOperation],
) -> Result<HashSet<OperationId>, sqlx::Error> {
    let mut keyed: Vec<_> = batch
        .iter()
        .filter_map(|new| {
            new.caller_key
                .as_ref()
                .map(|key| (&new.caller, key, new.id))
        })
        .collect();
    if keyed.is_empty() {
        return Ok(HashSet::new());
    }
    keyed.sort_by(|a, b| (a.0, &a.1.key).cmp(&(b.0, &b.1.key)));
    let callers: Vec<String> = keyed.iter().map(|(caller, ..)| (*caller).clone()).collect();
    let keys: Vec<String> = keyed.iter().map(|(_, key, _)| key.key.clone()).collect();
    let digests: Vec<Vec<u8>> = keyed
        .iter()
        .map(|(_, key, _)| key.digest.bytes.to_vec())
        .collect();
    let value_digests: Vec<Option<Vec<u8>>> = keyed
        .iter()
        .map(|(_, key, _)| key.digest.value.map(Vec::from))
        .collect();
    let ids: Vec<Uuid> = keyed.iter().map(|(.., id)| id.0).collect();
    let inserted: HashSet<Uuid> = sqlx::query_scalar!(
        "INSERT INTO idempotency (caller, key, digest, value_digest, operation_id)
         SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::uuid[])
         ON CONFLICT DO NOTHING
         RETURNING operation_id",
        &callers,
        &keys,
        &digests,
        &value_digests as &[Option<Vec<u8>>],
        &ids
    )
    .fetch_all(connection)
    .await?
    .into_iter()
    .collect();
    Ok(keyed
        .iter()
        .filter(|(.., id)| !inserted.contains(&id.0))
        .map(|(.., id)| *id)
        .collect())
}

/// For each operation in `taken`, finds the operation that was accepted under the same key, in this batch or earlier.
/// If this gateway does not know the type of the operation that it finds, only the request with this key fails.
pub(super) async fn read_caller_keys(
    connection: &mut PgConnection,
    batch: &[NewOperation],
    taken: &HashSet<OperationId>,
) -> Result<HashMap<OperationId, Result<Accepted, StoreError>>, StoreError> {
    let mut replays = HashMap::new();
    for new in batch.iter().filter(|new| taken.contains(&new.id)) {
        let Some(key) = &new.caller_key else { continue };
        let accepted = match read(&mut *connection, &new.caller, key).await {
            Ok(Some(accepted)) => Ok(accepted),
            // This should not happen, because a key is committed together with its operation.
            Ok(None) => Err(StoreError::Unknown { what: "key" }),
            Err(unknown @ StoreError::Unknown { .. }) => Err(unknown),
            Err(error) => return Err(error),
        };
        replays.insert(new.id, accepted);
    }
    Ok(replays)
}

/// Finds the operation that was accepted under a key, and checks whether its request had the same body.
pub(super) async fn read(
    executor: impl PgExecutor<'_>,
    caller: &str,
    key: &CallerKey,
) -> Result<Option<Accepted>, StoreError> {
    let first = sqlx::query!(
        "SELECT o.id, o.type, i.digest, i.value_digest
           FROM idempotency i
           JOIN operation o ON o.id = i.operation_id
          WHERE i.caller = $1 AND i.key = $2",
        caller,
        key.key
    )
    .fetch_optional(executor)
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
