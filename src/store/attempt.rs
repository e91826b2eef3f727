//! Attempts: the gateway commits each command, byte for byte, before it sends it.

use std::{collections::HashSet, time::Duration};

use sqlx::types::Json;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{Pool, Store, StoreError, batcher::Batcher, locks, patience::WithTimeout};
use crate::domain::{Answer, Attempt, Failure, Method, OperationId, Referent, Reply, Request};

/// A command that is about to be sent.
#[derive(Clone, Debug)]
pub struct StartAttempt {
    /// The operation.
    pub id: OperationId,
    /// The attempt number, which is the fence.
    pub number: i32,
    /// The key number: the `k` of the idempotency key.
    pub key_number: i32,
    /// The command.
    pub request: Request,
    /// Whether the effect existed in Fineract before the operation's first attempt.
    pub effect_preexisted: bool,
    /// Whether Fineract may have executed an earlier attempt under the same key. If so, the command is sent again even
    /// after `expires_at`.
    pub may_have_run: bool,
    /// What the worker read about the loan of the operation.
    pub seen: SeenLoan,
    /// The name of the Fineract user with which the gateway sends the command.
    pub user: String,
    /// The objects that the numbers in the command refer to.
    pub referents: Vec<Referent>,
    /// The epoch of Fineract's books in which the operation was claimed.
    pub epoch: i32,
}

/// What the worker read about a loan when it planned the command. The transactions API shows these values.
#[derive(Clone, Debug, Default)]
pub struct SeenLoan {
    /// The currency, if a loan was read.
    pub currency: Option<String>,
    /// Whether the command repays everything that is outstanding.
    pub is_paid_off: bool,
}

/// Starts the task that commits attempts in batches.
pub(super) fn start(
    pool: &Pool,
    tasks: &TaskTracker,
) -> Batcher<StartAttempt, Result<bool, StoreError>> {
    let pool = pool.clone();
    Batcher::start(tasks, "attempt", move |batch| {
        let pool = pool.clone();
        async move { start_all(&pool, batch).await }
    })
}

/// Commits a batch of attempts. If another session has locked an operation, its attempt is left out and fails.
async fn start_all(pool: &Pool, batch: Vec<StartAttempt>) -> Vec<Result<bool, StoreError>> {
    let error = match insert(pool, &batch).or_fail_to("write attempts").await {
        Ok(leased) => {
            return batch
                .iter()
                .map(|row| Ok(leased.contains(&row.id.0)))
                .collect();
        }
        Err(error) => error,
    };
    let ids: Vec<Uuid> = batch.iter().map(|row| row.id.0).collect();
    match locks::find(pool, &[], &ids).await {
        Ok(locked) if error.is_lock_timeout() && !locked.is_empty() => {
            locks::leave_out(
                batch,
                |row| locked.operations.contains(&row.id.0),
                |free| Box::pin(start_all(pool, free)),
                |_| Err(StoreError::Locked),
            )
            .await
        }
        _ => error.of_each(batch.len()),
    }
}

async fn insert(pool: &Pool, batch: &[StartAttempt]) -> Result<HashSet<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id!"
             FROM start_attempts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS id"#,
        &batch.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.number).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.key_number).collect::<Vec<_>>(),
        &batch
            .iter()
            .map(|row| row.request.method.as_str().to_owned())
            .collect::<Vec<_>>(),
        &batch
            .iter()
            .map(|row| row.request.path.clone())
            .collect::<Vec<_>>(),
        &batch
            .iter()
            .map(|row| row.request.body.clone())
            .collect::<Vec<_>>() as &[Option<String>],
        &batch
            .iter()
            .map(|row| row.effect_preexisted)
            .collect::<Vec<_>>(),
        &batch
            .iter()
            .map(|row| row.seen.currency.clone())
            .collect::<Vec<_>>() as &[Option<String>],
        &batch
            .iter()
            .map(|row| row.seen.is_paid_off)
            .collect::<Vec<_>>(),
        &batch.iter().map(|row| row.may_have_run).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.user.clone()).collect::<Vec<_>>(),
        &batch
            .iter()
            .map(|row| Json(row.referents.clone()))
            .collect::<Vec<_>>() as &[Json<Vec<Referent>>],
        &batch.iter().map(|row| row.epoch).collect::<Vec<_>>(),
    )
    .fetch_all(pool)
    .await
    .map(|ids| ids.into_iter().collect())
}

impl Store {
    /// Commits an attempt before its command is sent. Returns `false` if nothing was written and the command must not
    /// be sent. The reason is one of these: the lease is lost, `expires_at` has passed, the operation is on hold, or
    /// the epoch of Fineract's books has changed.
    pub async fn start_attempt(&self, attempt: StartAttempt) -> Result<bool, StoreError> {
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Sabotage::AttemptNotCommitted) {
            return Ok(true);
        }
        self.starting
            .submit(attempt)
            .await
            .unwrap_or(Err(StoreError::Closed))
    }

    /// Reads an operation's attempts in the order of their numbers.
    pub async fn attempts(&self, id: OperationId) -> Result<Vec<Attempt>, StoreError> {
        sqlx::query_as!(
            AttemptRow,
            r#"SELECT operation_id, number, key_number, method, path, body, status, cached, answer, error,
                      effect_preexisted, username, referents AS "referents: Json<Vec<Referent>>", epoch,
                      EXTRACT(EPOCH FROM now() - sent_at)::float8 AS "age_seconds!"
                 FROM attempt
                WHERE operation_id = $1
                ORDER BY number"#,
            id.0
        )
        .fetch_all(&self.pool)
        .or_fail_to("read attempts")
        .await?
        .into_iter()
        .map(AttemptRow::into_attempt)
        .collect()
    }
}

/// The row of an attempt.
pub(super) struct AttemptRow {
    pub(super) operation_id: Uuid,
    pub(super) number: i32,
    pub(super) key_number: i32,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Option<String>,
    pub(super) status: Option<i16>,
    pub(super) cached: Option<bool>,
    pub(super) answer: Option<String>,
    pub(super) error: Option<String>,
    pub(super) effect_preexisted: bool,
    pub(super) username: Option<String>,
    pub(super) referents: Option<Json<Vec<Referent>>>,
    pub(super) epoch: i32,
    pub(super) age_seconds: f64,
}

impl AttemptRow {
    pub(super) fn into_attempt(self) -> Result<Attempt, StoreError> {
        let answer = match (self.status, self.cached, self.answer) {
            (Some(status), Some(cached), Some(body)) => Some(Reply::Answer(Answer {
                status: u16::try_from(status).or(Err(StoreError::Unknown { what: "status" }))?,
                cached,
                body,
                retry_after: None,
            })),
            _ => None,
        };
        let failure = self
            .error
            .as_deref()
            .and_then(Failure::from_name)
            .map(Reply::Failure);
        let referents = self.referents.map(|Json(referents)| referents);
        Ok(Attempt {
            number: self.number,
            key_number: self.key_number,
            request: Request {
                method: Method::from_name(&self.method)
                    .ok_or(StoreError::Unknown { what: "method" })?,
                path: self.path,
                body: self.body,
            },
            user: self.username,
            reply: answer.or(failure),
            age: Duration::try_from_secs_f64(self.age_seconds).unwrap_or_default(),
            effect_preexisted: self.effect_preexisted,
            referents: referents.unwrap_or_default(),
            epoch: self.epoch,
        })
    }
}
