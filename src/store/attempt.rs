//! Attempts: a command is committed, word for word, before it is sent.

use std::collections::HashSet;

use sqlx::PgPool;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{Store, StoreError, failed_to, group_commit::GroupCommit};
use crate::domain::{Answer, Method, OperationId, Request};

/// A command that is about to be sent.
#[derive(Clone, Debug)]
pub struct StartAttempt {
    /// The operation.
    pub id: OperationId,
    /// The attempt that holds it.
    pub number: i32,
    /// `k` of its Idempotency-Key.
    pub key_number: i32,
    /// The command.
    pub request: Request,
}

/// Why an attempt has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made: nothing was sent.
    NotConnected,
    /// The time was up: it may still run.
    TimedOut,
    /// The connection ended before a whole answer: it may have run.
    Closed,
}

impl Failure {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::TimedOut => "timed_out",
            Self::Closed => "closed",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::NotConnected, Self::TimedOut, Self::Closed]
            .into_iter()
            .find(|failure| failure.as_str() == name)
    }
}

/// What came back for an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A whole answer.
    Answer(Answer),
    /// None.
    Failure(Failure),
}

/// What came back, and for which attempt: kept whether or not that attempt still holds the operation.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The operation.
    pub id: OperationId,
    /// The attempt's number.
    pub number: i32,
    /// What came back.
    pub reply: Reply,
}

/// An attempt as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Its number.
    pub number: i32,
    /// `k` of the Idempotency-Key it was sent with.
    pub key_number: i32,
    /// The command.
    pub request: Request,
    /// What came back; `None`: it is open, or ended with its process.
    pub reply: Option<Reply>,
}

/// Starts the task that commits attempts before they are sent.
pub(super) fn start(
    pool: &PgPool,
    tasks: &TaskTracker,
) -> GroupCommit<StartAttempt, Result<bool, StoreError>> {
    let pool = pool.clone();
    GroupCommit::start(tasks, move |batch| {
        let pool = pool.clone();
        async move {
            match insert(&pool, &batch).await {
                Ok(held) => batch.iter().map(|row| Ok(held.contains(&row.id.0))).collect(),
                Err(source) => {
                    let error = std::sync::Arc::new(failed_to("write attempts")(source));
                    let failed = || Err(StoreError::Batch(std::sync::Arc::clone(&error)));
                    batch.iter().map(|_| failed()).collect()
                }
            }
        }
    })
}

async fn insert(pool: &PgPool, batch: &[StartAttempt]) -> Result<HashSet<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "WITH started AS (
             SELECT *
               FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[])
                    AS s (id, number, key_number, method, path, body)
         ), held AS (
             -- Locked, so that nobody claims it between this look and the commit.
             SELECT o.id
               FROM operation o
               JOIN started s ON o.id = s.id
              WHERE o.attempt = s.number AND o.state = 'running' AND o.due_at > now()
              ORDER BY o.id
                FOR NO KEY UPDATE OF o
         )
         INSERT INTO attempt (operation_id, number, key_number, method, path, body)
         SELECT s.id, s.number, s.key_number, s.method, s.path, s.body
           FROM started s
           JOIN held USING (id)
      RETURNING operation_id",
        &batch.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.number).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.key_number).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.request.method.as_str().to_owned()).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.request.path.clone()).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.request.body.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .fetch_all(pool)
    .await
    .map(|ids| ids.into_iter().collect())
}

impl Store {
    /// Commits an attempt that is about to be sent. `false`: the lease is gone, nothing was written, and
    /// nothing may be sent.
    pub async fn start_attempt(&self, attempt: StartAttempt) -> Result<bool, StoreError> {
        self.starting.submit(attempt).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Reads an operation's attempts, the first one first.
    pub async fn attempts(&self, id: OperationId) -> Result<Vec<AttemptRecord>, StoreError> {
        sqlx::query!(
            "SELECT number, key_number, method, path, body, status, cached, answer, error
               FROM attempt
              WHERE operation_id = $1
              ORDER BY number",
            id.0
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed_to("read attempts"))?
        .into_iter()
        .map(|row| {
            let answer = match (row.status, row.cached, row.answer) {
                (Some(status), Some(cached), Some(body)) => Some(Reply::Answer(Answer {
                    status: u16::try_from(status)
                        .or(Err(StoreError::Unknown { what: "status" }))?,
                    cached,
                    body,
                    retry_after: None,
                })),
                _ => None,
            };
            let failure = row.error.as_deref().and_then(Failure::from_name).map(Reply::Failure);
            Ok(AttemptRecord {
                number: row.number,
                key_number: row.key_number,
                request: Request {
                    method: Method::from_name(&row.method)
                        .ok_or(StoreError::Unknown { what: "method" })?,
                    path: row.path,
                    body: row.body,
                },
                reply: answer.or(failure),
            })
        })
        .collect()
    }
}
