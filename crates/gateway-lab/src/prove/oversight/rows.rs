//! Simulates another session that locks rows, and a newer gateway that writes rows.

use std::time::Duration;

use anyhow::Context as _;
use fineract_gateway::domain::{OperationId, State};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Oversight;

/// The prefix of the names of the planted clients. It sorts before all other names, so a gateway finds these rows
/// first.
const PLANTED: &str = "0-planted-";
/// A type that no gateway of the round knows.
const UNKNOWN: &str = "LOAN_FORECLOSE";

/// Which rows are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::prove) enum LockTarget {
    /// Rows of lanes in which a recently accepted operation has not ended.
    Lanes,
    /// Rows of recently accepted operations that have not ended.
    Operations,
}

/// An operation to plant.
struct Planted<'a> {
    lane: &'a str,
    position: i64,
    operation_type: &'a str,
    state: State,
    has_expired: bool,
}

impl Oversight {
    /// Locks up to `count` random rows for `time`, like a forgotten `SELECT … FOR UPDATE`. Returns the number of
    /// locked rows.
    pub(in crate::prove) async fn lock_rows(
        &self,
        target: LockTarget,
        count: i64,
        time: Duration,
    ) -> anyhow::Result<usize> {
        const ACTION: &str = "lock rows";
        let mut transaction = self.pool.begin().await.context(ACTION)?;
        let locked = match target {
            LockTarget::Lanes => sqlx::query_scalar!(
                r#"SELECT key AS "key!" FROM lane
                        WHERE key IN (SELECT lane FROM operation
                                       WHERE state IN ('waiting', 'ready', 'running')
                                         AND accepted_at > now() - interval '20 seconds')
                        ORDER BY random() LIMIT $1 FOR UPDATE SKIP LOCKED"#,
                count
            )
            .fetch_all(&mut *transaction)
            .await
            .context(ACTION)?
            .len(),
            LockTarget::Operations => sqlx::query_scalar!(
                r#"SELECT id AS "id!" FROM operation
                        WHERE state IN ('waiting', 'ready', 'running')
                          AND accepted_at > now() - interval '20 seconds'
                        ORDER BY random() LIMIT $1 FOR UPDATE SKIP LOCKED"#,
                count
            )
            .fetch_all(&mut *transaction)
            .await
            .context(ACTION)?
            .len(),
        };
        if locked > 0 {
            tokio::time::sleep(time).await;
        }
        transaction.rollback().await.context(ACTION)?;
        Ok(locked)
    }

    /// Plants operations as a newer gateway would leave them: complete rows of a type that no gateway of the round
    /// knows. One is due, one has expired, one is parked, and one is the dependent of a failed operation. Returns the
    /// operations of the unknown type in this order.
    pub(in crate::prove) async fn plant_unknown(&self) -> anyhow::Result<Vec<OperationId>> {
        const ACTION: &str = "plant operations";
        let mut transaction = self.pool.begin().await.context(ACTION)?;
        let lane = |name: &str| format!("client:{PLANTED}{name}");
        let mut planted = Vec::new();
        for (name, state, has_expired) in [
            ("due", State::Ready, false),
            ("expired", State::Ready, true),
            ("parked", State::Parked, false),
        ] {
            let lane = lane(name);
            plant_lane(&mut transaction, &lane, 2, None).await?;
            let row = Planted {
                lane: &lane,
                position: 1,
                operation_type: UNKNOWN,
                state,
                has_expired,
            };
            planted.push(plant(&mut transaction, &row).await?);
        }
        let lane = lane("failing_dependents");
        let failed = Planted {
            lane: &lane,
            position: 1,
            operation_type: "CLIENT_UPDATE",
            state: State::Failed,
            has_expired: false,
        };
        let cause = plant(&mut transaction, &failed).await?;
        plant_lane(&mut transaction, &lane, 3, Some(cause)).await?;
        let dependent = Planted {
            position: 2,
            operation_type: UNKNOWN,
            state: State::Waiting,
            ..failed
        };
        planted.push(plant(&mut transaction, &dependent).await?);
        transaction.commit().await.context(ACTION)?;
        Ok(planted.into_iter().map(OperationId).collect())
    }

    /// Removes all planted rows.
    pub(in crate::prove) async fn remove_planted(&self) -> anyhow::Result<()> {
        const ACTION: &str = "remove planted operations";
        sqlx::query!(
            "WITH planted AS (DELETE FROM operation WHERE lane LIKE $1 RETURNING id),
                  payloads AS (DELETE FROM payload WHERE operation_id IN (SELECT id FROM planted)),
                  results AS (DELETE FROM result WHERE operation_id IN (SELECT id FROM planted)),
                  lane_entries AS (DELETE FROM lane_entry WHERE lane LIKE $1)
             DELETE FROM lane WHERE key LIKE $1",
            format!("client:{PLANTED}%")
        )
        .execute(&self.pool)
        .await
        .context(ACTION)
        .map(drop)
    }
}

/// Inserts the row of a lane that contains one operation that has not ended. If `failed_by` is given, the operation
/// with this id was first in the lane and has failed, and the operation that has not ended depends on it.
async fn plant_lane(
    connection: &mut PgConnection,
    lane: &str,
    next_position: i64,
    failed_by: Option<Uuid>,
) -> anyhow::Result<()> {
    sqlx::query!(
        "INSERT INTO lane (key, next_position, members, writers, failed_by, failed_at, failed_position,
                           failed_below, failing_dependents)
         VALUES ($1, $2, 1, 1, $3, CASE WHEN $3::uuid IS NOT NULL THEN now() END,
                 CASE WHEN $3::uuid IS NOT NULL THEN 1 ELSE 0 END,
                 CASE WHEN $3::uuid IS NOT NULL THEN $2::bigint ELSE 0 END, $3::uuid IS NOT NULL)",
        lane,
        next_position,
        failed_by
    )
    .execute(connection)
    .await.context("plant a lane")
    .map(drop)
}

async fn plant(connection: &mut PgConnection, row: &Planted<'_>) -> anyhow::Result<Uuid> {
    const ACTION: &str = "plant an operation";
    let id = Uuid::now_v7();
    let state = row.state.as_str();
    sqlx::query!(
        "INSERT INTO operation (id, type, state, lane, position, blocked_by, due_at, reason_code, reason_since, ended_at,
                                expires_at)
         VALUES ($1, $2, $3, $4, $5, CASE $3 WHEN 'waiting' THEN 1 ELSE 0 END,
                 CASE $3 WHEN 'ready' THEN now() END, CASE $3 WHEN 'parked' THEN 'still_running' END,
                 CASE $3 WHEN 'parked' THEN now() END, CASE $3 WHEN 'failed' THEN now() END,
                 CASE WHEN $6 THEN now() END)",
        id,
        row.operation_type,
        state,
        row.lane,
        row.position,
        row.has_expired
    )
    .execute(&mut *connection)
    .await.context(ACTION)?;
    sqlx::query!(
        "INSERT INTO payload (operation_id, caller, data, lane) VALUES ($1, 'prove', '{}', $2)",
        id,
        row.lane
    )
    .execute(&mut *connection)
    .await
    .context(ACTION)?;
    if row.state == State::Failed {
        sqlx::query!(
            "INSERT INTO result (operation_id, code, message, marked)
             VALUES ($1, 'planted', 'Planted as failed by prove', true)",
            id
        )
        .execute(connection)
        .await
        .context(ACTION)?;
    } else {
        sqlx::query!(
            "INSERT INTO lane_entry (lane, position, operation_id, writes, admitted) VALUES ($1, $2, $3, true, $4)",
            row.lane,
            row.position,
            id,
            row.state != State::Waiting
        )
        .execute(connection)
        .await.context(ACTION)?;
    }
    Ok(id)
}
