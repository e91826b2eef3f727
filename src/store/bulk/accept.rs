//! Accepts a batch: all of its rows in one transaction, with the lane entries in the order of the file.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{Lane, OperationType},
    store::{
        BodyDigest, NewOperation, Pool, Store, StoreError, accept::insert_operations, connect,
        patience::WithTimeout,
    },
};

const ACTION: &str = "accept a batch";

/// A checked batch that is to be accepted.
#[derive(Debug)]
pub struct NewBatch {
    /// The id, generated before the batch is accepted.
    pub id: Uuid,
    /// The client's name.
    pub client: String,
    /// The client's own name for the batch (`reference_id`).
    pub reference_id: String,
    /// The digest of the request's body.
    pub digest: BodyDigest,
    /// The name of the uploaded file.
    pub file_name: Option<String>,
    /// JSON from the client, which the gateway stores and returns unchanged.
    pub global_config: Option<Box<RawValue>>,
    /// The rows, in the order of the file.
    pub rows: Vec<NewRow>,
}

/// A row of a new batch.
#[derive(Debug)]
pub struct NewRow {
    /// The client's own name for the row (`consent_id`).
    pub consent_id: Option<String>,
    /// The row's operation, or the reason why the row was refused.
    pub content: RowContent,
}

/// The content of a row.
#[derive(Debug)]
pub enum RowContent {
    /// An operation that runs.
    Operation(Box<NewOperation>),
    /// A row that was refused at acceptance.
    Refused(Box<RefusedRow>),
}

/// A row that was refused at acceptance. Such rows exist only if the client asked the gateway to run the valid rows of
/// a batch with invalid rows.
#[derive(Debug)]
pub struct RefusedRow {
    /// The operation type, if it could be determined.
    pub operation_type: Option<OperationType>,
    /// The lane that the row's operation would write, if it could be determined.
    pub lane: Option<Lane>,
    /// The payload, if it is valid.
    pub data: Option<Box<RawValue>>,
    /// If the payload is missing: the fields that name clients, loans and payments, as far as they could be read.
    pub names: Option<BTreeMap<String, String>>,
    /// The time until which the row's operation could have been sent.
    pub expires_at: Option<DateTime<Utc>>,
    /// The reason, as a stable code.
    pub code: &'static str,
    /// The reason, as a sentence.
    pub message: String,
}

/// The result of a request to accept a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchAccepted {
    /// The batch was committed.
    New,
    /// The client has used this `reference_id` before, for the same batch or for another batch.
    Known,
}

impl Store {
    /// Commits a batch. Returns `Ok` only after the commit.
    pub async fn accept_batch(&self, batch: &NewBatch) -> Result<BatchAccepted, StoreError> {
        let operations: Vec<&NewOperation> = batch
            .rows
            .iter()
            .filter_map(|row| match &row.content {
                RowContent::Operation(operation) => Some(&**operation),
                RowContent::Refused(_) => None,
            })
            .collect();
        // If two uploads with the same `reference_id` run at the same time, the second upload waits here for the commit
        // of the first. The wait for locked lanes, further below, is shorter.
        let mut transaction = connect::begin_with_long_lock_wait(&self.pool)
            .or_fail_to(ACTION)
            .await?;
        let Some(transaction_id) = insert_batch(&mut transaction, batch)
            .or_fail_to(ACTION)
            .await?
        else {
            return Ok(BatchAccepted::Known);
        };
        connect::restore_lock_timeout(&mut transaction)
            .or_fail_to(ACTION)
            .await?;
        let effects = insert_operations(&mut transaction, &operations)
            .or_fail_to(ACTION)
            .await?;
        insert_rows(&mut transaction, batch)
            .or_fail_to(ACTION)
            .await?;
        if operations.is_empty() {
            write_event(&mut transaction, batch)
                .or_fail_to(ACTION)
                .await?;
        }
        if let Err(error) = transaction.commit().or_fail_to(ACTION).await
            && !is_accepted(&self.pool, &transaction_id, &operations).await?
        {
            return Err(error);
        }
        effects.notify(&self.notifier);
        Ok(BatchAccepted::New)
    }
}

/// Whether the transaction that accepted these operations was committed. Call this function if Postgres did not answer
/// the commit. It asks Postgres for the status of the commit, and then looks for the first operation. One operation is
/// enough, because either all of the rows exist or none of them.
pub(super) async fn is_accepted(
    pool: &Pool,
    transaction_id: &str,
    new: &[&NewOperation],
) -> Result<bool, StoreError> {
    if !connect::has_committed(pool, transaction_id).await? {
        return Ok(false);
    }
    let Some(first) = new.first() else {
        return Ok(true);
    };
    connect::retry_on_broken_connection(pool, || {
        sqlx::query_scalar!(
            "SELECT EXISTS (SELECT FROM operation WHERE id = $1) AS \"is_there!\"",
            first.id.0
        )
        .fetch_one(pool)
    })
    .or_fail_to("look for accepted operations")
    .await
}

/// Inserts the batch. Returns the id of the transaction, or `None` if the client has used the `reference_id` before.
async fn insert_batch(
    connection: &mut PgConnection,
    batch: &NewBatch,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"INSERT INTO batch (id, client, reference_id, digest, value_digest, file_name, global_config, total)
           VALUES ($1, $2, $3, $4, $5, $6, $7::text::json, $8)
               ON CONFLICT (client, reference_id) DO NOTHING
        RETURNING pg_current_xact_id()::text AS "transaction_id!""#,
        batch.id,
        batch.client,
        batch.reference_id,
        &batch.digest.bytes,
        batch.digest.value.as_ref().map(<[u8; 32]>::as_slice),
        batch.file_name,
        batch.global_config.as_deref().map(RawValue::get),
        i32::try_from(batch.rows.len()).unwrap_or(i32::MAX),
    )
    .fetch_optional(connection)
    .await
}

async fn insert_rows(connection: &mut PgConnection, batch: &NewBatch) -> Result<(), sqlx::Error> {
    let ids: Vec<_> = batch
        .rows
        .iter()
        .map(|row| match &row.content {
            RowContent::Operation(operation) => Some(operation.id.0),
            RowContent::Refused(_) => None,
        })
        .collect();
    let consent_ids: Vec<_> = batch
        .rows
        .iter()
        .map(|row| row.consent_id.clone())
        .collect();
    sqlx::query!(
        "INSERT INTO batch_row (batch_id, number, operation_id, consent_id, type, lane, data, names, expires_at,
                                code, message)
         SELECT $1, r.number, r.operation_id, r.consent_id, r.type, r.lane, r.data::json, r.names::json, r.expires_at,
                r.code, r.message
           FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
                       $9::text[], $10::text[])
                WITH ORDINALITY AS r (operation_id, consent_id, type, lane, data, names, expires_at, code, message,
                                      number)",
        batch.id,
        &ids as &[Option<Uuid>],
        &consent_ids as &[Option<String>],
        &refused(batch, |row| Some(row.operation_type?.as_str().to_owned())) as &[Option<String>],
        &refused(batch, |row| Some(row.lane.as_ref()?.as_str().to_owned())) as &[Option<String>],
        &refused(batch, |row| Some(row.data.as_ref()?.get().to_owned())) as &[Option<String>],
        &refused(batch, |row| serde_json::to_string(row.names.as_ref()?).ok()) as &[Option<String>],
        &refused(batch, |row| row.expires_at) as &[Option<DateTime<Utc>>],
        &refused(batch, |row| Some(row.code.to_owned())) as &[Option<String>],
        &refused(batch, |row| Some(row.message.clone())) as &[Option<String>],
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Writes the event of a batch whose rows were all refused: it has ended already, and no operation of it ever ends.
async fn write_event(connection: &mut PgConnection, batch: &NewBatch) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO new_event (type, batch_id) VALUES ('batch.failed', $1)",
        batch.id
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The values of one column for all rows of the batch. Only refused rows have a value in this column.
fn refused<T>(batch: &NewBatch, value: impl Fn(&RefusedRow) -> Option<T>) -> Vec<Option<T>> {
    let of_row = |row: &NewRow| match &row.content {
        RowContent::Operation(_) => None,
        RowContent::Refused(refused) => value(refused),
    };
    batch.rows.iter().map(of_row).collect()
}
