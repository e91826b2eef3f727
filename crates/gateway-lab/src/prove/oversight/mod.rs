//! What `prove` asks of the database itself, past the API and past the gateways.

mod rows;

use std::time::Duration;

use anyhow::Context as _;
use fineract_gateway::{
    domain::{OperationId, OperationType, State},
    store::{self, Pool},
};
use sqlx::PgPool;
use uuid::Uuid;

pub(in crate::prove) use self::rows::Held;

/// A look at the queue from outside.
#[derive(Clone, Debug)]
pub(in crate::prove) struct Oversight {
    pool: PgPool,
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::prove) struct Standing {
    /// The operation.
    pub(in crate::prove) id: OperationId,
    /// Its state.
    pub(in crate::prove) state: State,
    /// Why it is parked, or tried again.
    pub(in crate::prove) reason_code: Option<String>,
    /// Why it failed, as the gateway's own code, or the first of Fineract's.
    pub(in crate::prove) code: Option<String>,
    /// How long it took from its acceptance to its end.
    pub(in crate::prove) took: Option<Duration>,
}

impl Oversight {
    /// Looks through this pool.
    pub(in crate::prove) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Where these operations stand; those that are not there are left out.
    pub(in crate::prove) async fn standings(
        &self,
        ids: &[OperationId],
    ) -> anyhow::Result<Vec<Standing>> {
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
        .context("read where operations stand")?
        .into_iter()
        .map(|row| {
            Ok(Standing {
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

    /// An operation's attempts, a line each, for people.
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

    /// Whether all operations of a type whose attempt has been left alone for a second have been sent under
    /// another key since, and there are such.
    pub(in crate::prove) async fn went_on_without(
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
        .await.context("look for a second key")
    }

    /// How many operations whose `expires_at` has passed wait because Fineract could not be read about them.
    pub(in crate::prove) async fn unread_past_expiry(&self) -> anyhow::Result<u64> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!"
                 FROM operation
                WHERE reason_code = 'evidence_unread' AND expires_at <= now() AND ended_at IS NULL"#
        )
        .fetch_one(&self.pool)
        .await
        .context("look for what is unread past its deadline")?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Begins a new epoch of Fineract's books while nothing is under way, as an operator does when they are others.
    pub(in crate::prove) async fn begin_epoch(&self) -> anyhow::Result<()> {
        sqlx::query!("UPDATE books SET epoch = epoch + 1, began_at = now()")
            .execute(&self.pool)
            .await
            .map(drop)
            .context("begin an epoch of Fineract's books")
    }

    /// Whether the number of a client is known.
    pub(in crate::prove) async fn knows_a_client(&self) -> anyhow::Result<bool> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM lane
                               WHERE split_part(key, ':', 1) = 'client' AND resource_id IS NOT NULL
                                 AND resource_epoch = (SELECT epoch FROM books)) AS "is_known!""#
        )
        .fetch_one(&self.pool)
        .await
        .context("look for a client's number")
    }

    /// Puts everything on hold; how many operations that were not.
    pub(in crate::prove) async fn hold_all(&self) -> anyhow::Result<u64> {
        let covered = store::hold_all(&Pool::from(self.pool.clone()), "prove", "the judge").await?;
        Ok(covered.operations)
    }

    /// The attempts of the last minutes that were begun while everything was on hold.
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
        .context("look for what was sent on hold")
    }

    /// Terminates so many connections, whichever they are; how many there were.
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
