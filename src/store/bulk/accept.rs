//! Accepting a batch: all of its rows in one transaction, in the lanes in the order of the file.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{Lane, OperationType},
    store::{
        Asking, BodyDigest, NewOperation, Store, StoreError,
        accept::{enter_lanes, insert_operations, is_accepted},
        connect,
    },
};

const ACTION: &str = "accept a batch";

/// A checked batch that is to be accepted.
#[derive(Debug)]
pub struct NewBatch {
    /// Its id, made by the caller of this function.
    pub id: Uuid,
    /// The client's name.
    pub client: String,
    /// The client's own name for it.
    pub reference_id: String,
    /// Its body.
    pub digest: BodyDigest,
    /// The file's name.
    pub file_name: Option<String>,
    /// What is kept and given back.
    pub global_config: Option<Box<RawValue>>,
    /// The rows, in the order of the file.
    pub rows: Vec<NewRow>,
}

/// A row of a new batch.
#[derive(Debug)]
pub struct NewRow {
    /// The caller's own name for it.
    pub consent_id: Option<String>,
    /// What becomes of it.
    pub content: RowContent,
}

/// What becomes of a row.
#[derive(Debug)]
pub enum RowContent {
    /// It runs.
    Operation(Box<NewOperation>),
    /// It has failed already.
    Refused(Box<RefusedRow>),
}

/// A row that was refused at the door, where only the good ones were asked for.
#[derive(Debug)]
pub struct RefusedRow {
    /// Its type, where it could be told.
    pub operation_type: Option<OperationType>,
    /// The lane it would write, where it could be told.
    pub lane: Option<Lane>,
    /// Its payload, where nothing is wrong with it.
    pub data: Option<Box<RawValue>>,
    /// Where that is missing: the fields by which it names clients, loans and payments, as far as they
    /// could be read.
    pub names: Option<BTreeMap<String, String>>,
    /// Until when it might have been sent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Why, as a stable code.
    pub code: &'static str,
    /// Why, as a sentence.
    pub message: String,
}

/// What became of a request to accept a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchAccepted {
    /// It is committed.
    New,
    /// The client has used this reference before: for the same batch, or another.
    Known,
}

impl Store {
    /// Makes a batch durable. `Ok` is returned after the commit.
    pub async fn accept_batch(&self, batch: &NewBatch) -> Result<BatchAccepted, StoreError> {
        let operations: Vec<&NewOperation> = batch
            .rows
            .iter()
            .filter_map(|row| match &row.content {
                RowContent::Operation(operation) => Some(&**operation),
                RowContent::Refused(_) => None,
            })
            .collect();
        // Of two at once, the second waits here for the first's commit; lanes are not waited for as long.
        let mut transaction = connect::begin_patiently(&self.pool)
            .or_fail_to(ACTION)
            .await?;
        let Some(transaction_id) = insert_batch(&mut transaction, batch)
            .or_fail_to(ACTION)
            .await?
        else {
            return Ok(BatchAccepted::Known);
        };
        connect::wait_no_longer(&mut transaction)
            .or_fail_to(ACTION)
            .await?;
        let entered = enter_lanes(&mut transaction, &operations)
            .or_fail_to(ACTION)
            .await?;
        insert_operations(&mut transaction, &operations, &entered)
            .or_fail_to(ACTION)
            .await?;
        insert_rows(&mut transaction, batch)
            .or_fail_to(ACTION)
            .await?;
        if let Err(error) = transaction.commit().or_fail_to(ACTION).await
            && !is_accepted(&self.pool, &transaction_id, &operations).await?
        {
            return Err(error);
        }
        if entered.iter().any(|entry| entry.blocked_by == 0) {
            self.notifier.notify_work();
        }
        if entered.iter().any(|entry| entry.fails_dependents) {
            self.notifier.notify_dependency_failure();
        }
        Ok(BatchAccepted::New)
    }
}

/// Inserts the batch; the transaction's id, unless the client has used the reference.
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

/// A column of the rows that were refused; the others have nothing in it.
fn refused<T>(batch: &NewBatch, value: impl Fn(&RefusedRow) -> Option<T>) -> Vec<Option<T>> {
    let of_row = |row: &NewRow| match &row.content {
        RowContent::Operation(_) => None,
        RowContent::Refused(refused) => value(refused),
    };
    batch.rows.iter().map(of_row).collect()
}
