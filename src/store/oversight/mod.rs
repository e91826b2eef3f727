//! What `prove` asks of the database itself, past the API and past the gateways.

mod rows;

use std::time::Duration;

use uuid::Uuid;

pub use self::rows::Held;
use super::{Asking, Pool, StoreError, failed_to, hold_all, names};
use crate::domain::{OperationId, OperationType, State};

/// A look at the queue from outside.
#[derive(Clone, Debug)]
pub struct Oversight {
    pool: Pool,
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The operation.
    pub id: OperationId,
    /// Its state.
    pub state: State,
    /// Why it is parked, or tried again.
    pub why: Option<String>,
    /// Why it failed, as the gateway's own code, or the first of Fineract's.
    pub code: Option<String>,
    /// How long it took from its acceptance to its end.
    pub took: Option<Duration>,
}

impl Oversight {
    /// Looks through this pool.
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Where these operations stand; those that are not there are left out.
    pub async fn standings(&self, ids: &[OperationId]) -> Result<Vec<Standing>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query!(
            r#"SELECT o.id AS "id!", o.state AS "state!", o.why, r.code AS "code?",
                      EXTRACT(EPOCH FROM o.ended_at - o.accepted_at)::float8 AS seconds
                 FROM operation o
                 LEFT JOIN result r ON r.operation_id = o.id
                WHERE o.id = ANY ($1)"#,
            &ids
        )
        .fetch_all(&self.pool)
        .or_fail_to("read where operations stand")
        .await?
        .into_iter()
        .map(|row| {
            Ok(Standing {
                id: OperationId(row.id),
                state: names::state(&row.state)?,
                why: row.why,
                code: row.code,
                took: row
                    .seconds
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            })
        })
        .collect()
    }

    /// An operation's attempts, a line each, for people.
    pub async fn attempts(&self, id: OperationId) -> Result<Vec<String>, StoreError> {
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
        .or_fail_to("read attempts")
        .await
    }

    /// Whether all operations of a type whose attempt has been left alone for a second have been sent under
    /// another key since, and there are such.
    pub async fn went_on_without(&self, operation_type: OperationType) -> Result<bool, StoreError> {
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
        .or_fail_to("look for a second key")
        .await
    }

    /// How many operations whose `expires_at` has passed wait because Fineract could not be read about them.
    pub async fn unread_past_expiry(&self) -> Result<u64, StoreError> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!"
                 FROM operation
                WHERE why = 'evidence_unread' AND expires_at <= now() AND ended_at IS NULL"#
        )
        .fetch_one(&self.pool)
        .or_fail_to("look for what is unread past its deadline")
        .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Begins a new epoch of Fineract's books while nothing is under way, as an operator does when they are others.
    pub async fn begin_epoch(&self) -> Result<(), StoreError> {
        sqlx::query!("UPDATE books SET epoch = epoch + 1, began_at = now()")
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(failed_to("begin an epoch of Fineract's books"))
    }

    /// Whether the number of a client is known.
    pub async fn knows_a_client(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM lane
                               WHERE split_part(key, ':', 1) = 'client' AND resource_id IS NOT NULL
                                 AND resource_epoch = (SELECT epoch FROM books)) AS "is_known!""#
        )
        .fetch_one(&self.pool)
        .or_fail_to("look for a client's number")
        .await
    }

    /// Puts everything on hold; how many operations that were not.
    pub async fn hold_all(&self) -> Result<u64, StoreError> {
        let covered = hold_all(&self.pool, "prove", "the judge").await?;
        Ok(covered.operations)
    }

    /// The attempts of the last minutes that were begun while everything was on hold.
    pub async fn sent_on_hold(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT format('%s %s, attempt %s', o.type, o.id, a.number) AS "line!"
                 FROM hold_all h
                 JOIN attempt a ON a.sent_at > h.covers_all_since AND a.sent_at < h.ended_at
                 JOIN operation o ON o.id = a.operation_id
                WHERE h.since > now() - interval '5 minutes'"#
        )
        .fetch_all(&self.pool)
        .or_fail_to("look for what was sent on hold")
        .await
    }

    /// Terminates so many connections, whichever they are; how many there were.
    pub async fn terminate_backends(&self, count: i64) -> Result<u64, StoreError> {
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
        .or_fail_to("terminate backends")
        .await?;
        Ok(u64::try_from(terminated.len()).unwrap_or(u64::MAX))
    }
}
