//! Direct access of `prove` to the database, without the API and the gateways.

mod events;
mod rows;
mod webhooks;

use std::time::Duration;

use anyhow::Context as _;
use fineract_gateway::{
    domain::{OperationId, OperationType, State},
    store::{self, Pool},
};
use sqlx::PgPool;
use uuid::Uuid;

pub(in crate::prove) use self::rows::LockTarget;

/// A connection pool to the gateways' database.
#[derive(Clone, Debug)]
pub(in crate::prove) struct Oversight {
    pool: PgPool,
}

/// The columns of an operation that `prove` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::prove) struct OperationRow {
    /// The id of the operation.
    pub(in crate::prove) id: OperationId,
    /// The state of the operation.
    pub(in crate::prove) state: State,
    /// The reason code of a parked, blocked or retried operation.
    pub(in crate::prove) reason_code: Option<String>,
    /// Why the operation failed: the gateway's own code, or the first code in Fineract's answer.
    pub(in crate::prove) code: Option<String>,
    /// The time from the operation's acceptance to its end.
    pub(in crate::prove) took: Option<Duration>,
}

impl Oversight {
    /// Direct access through this pool.
    pub(in crate::prove) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The rows of these operations. An id without an operation has no row.
    pub(in crate::prove) async fn operations(
        &self,
        ids: &[OperationId],
    ) -> anyhow::Result<Vec<OperationRow>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query!(
            r#"SELECT o.id AS "id!", o.state AS "state!", o.reason_code, r.code AS "code?",
                      EXTRACT(EPOCH FROM o.ended_at - o.accepted_at)::float8 AS seconds
                 FROM operation o
                 LEFT JOIN result r ON r.operation_id = o.id
                WHERE o.id = ANY ($1)"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await
        .context("read operations")?
        .into_iter()
        .map(|row| {
            Ok(OperationRow {
                id: OperationId(row.id),
                state: State::from_name(&row.state).context("a state")?,
                reason_code: row.reason_code,
                code: row.code,
                took: row
                    .seconds
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            })
        })
        .collect()
    }

    /// The attempts of an operation as text, one line each.
    pub(in crate::prove) async fn attempts(&self, id: OperationId) -> anyhow::Result<Vec<String>> {
        sqlx::query_scalar!(
            r#"SELECT format('%s %s-%s %s %s sent %s answered %s: %s %s %s', number, operation_id, key_number,
                             method, path, sent_at::time, answered_at::time, status,
                             CASE WHEN cached THEN 'cached' END, error) AS "line!"
                 FROM attempt
                WHERE operation_id = $1
                ORDER BY number"#,
            id.0
        )
        .fetch_all(&self.pool)
        .await.context("read attempts")
    }

    /// Looks at the operations of a type that have not ended and have an attempt without an answer after a second.
    /// Returns `true` if there are such operations and all of them have been sent again under a later key.
    pub(in crate::prove) async fn continued_under_next_key(
        &self,
        operation_type: OperationType,
    ) -> anyhow::Result<bool> {
        sqlx::query_scalar!(
            r#"SELECT COALESCE(bool_and(left_alone.key_number < o.key_number AND EXISTS (
                          SELECT FROM attempt next
                           WHERE next.operation_id = o.id AND next.key_number = o.key_number)), false)
                      AS "went_on!"
                 FROM operation o
                 JOIN attempt left_alone ON left_alone.operation_id = o.id
                WHERE o.type = $1 AND o.state IN ('ready', 'running')
                  AND left_alone.answered_at IS NULL AND left_alone.sent_at < now() - interval '1 second'"#,
            operation_type.as_str()
        )
        .fetch_one(&self.pool)
        .await.context("look for attempts under a second key")
    }

    /// The number of operations that have passed their `expires_at` and wait because Fineract could not be read.
    pub(in crate::prove) async fn count_expired_unread(&self) -> anyhow::Result<u64> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!"
                 FROM operation
                WHERE reason_code = 'evidence_unread' AND expires_at <= now() AND ended_at IS NULL"#
        )
        .fetch_one(&self.pool)
        .await
        .context("look for expired operations that cannot be read")?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Begins a new epoch of Fineract's books, as when an operator confirms that the books have changed. No operation
    /// may run at that time.
    pub(in crate::prove) async fn begin_epoch(&self) -> anyhow::Result<()> {
        sqlx::query!("UPDATE books SET epoch = epoch + 1, began_at = now()")
            .execute(&self.pool)
            .await
            .map(drop)
            .context("begin an epoch of Fineract's books")
    }

    /// Whether the database contains the number of a client.
    pub(in crate::prove) async fn knows_a_client_number(&self) -> anyhow::Result<bool> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM lane
                               WHERE split_part(key, ':', 1) = 'client' AND resource_id IS NOT NULL
                                 AND resource_epoch = (SELECT epoch FROM books)) AS "is_known!""#
        )
        .fetch_one(&self.pool)
        .await
        .context("look for a client's number")
    }

    /// Puts everything on hold. Returns how many operations were not on hold before.
    pub(in crate::prove) async fn hold_all(&self) -> anyhow::Result<u64> {
        let covered = store::hold_all(&Pool::from(self.pool.clone()), "prove", "the judge").await?;
        Ok(covered.operations)
    }

    /// The attempts that were begun while everything was on hold. Only holds of the last five minutes count.
    pub(in crate::prove) async fn sent_on_hold(&self) -> anyhow::Result<Vec<String>> {
        sqlx::query_scalar!(
            r#"SELECT format('%s %s, attempt %s', o.type, o.id, a.number) AS "line!"
                 FROM hold_all h
                 JOIN attempt a ON a.sent_at > h.covers_all_since AND a.sent_at < h.ended_at
                 JOIN operation o ON o.id = a.operation_id
                WHERE h.since > now() - interval '5 minutes'"#
        )
        .fetch_all(&self.pool)
        .await
        .context("look for attempts during a hold")
    }

    /// Terminates up to `count` random connections. Returns the number of terminated connections.
    pub(in crate::prove) async fn terminate_backends(&self, count: i64) -> anyhow::Result<u64> {
        let terminated = sqlx::query_scalar!(
            "SELECT pg_terminate_backend(pid)
               FROM (SELECT pid
                       FROM pg_stat_activity
                      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
                      ORDER BY random()
                      LIMIT $1) chosen",
            count
        )
        .fetch_all(&self.pool)
        .await
        .context("terminate backends")?;
        Ok(u64::try_from(terminated.len()).unwrap_or(u64::MAX))
    }
}
