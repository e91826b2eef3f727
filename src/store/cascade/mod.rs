//! Ends the dependents of failed operations, in chunks. The completion of the failed operation itself does not wait for
//! this.

mod failure;

use std::{collections::HashSet, time::Duration};

use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use self::failure::{Failure, forget_failure, read_cause, read_failure};
use super::{
    FailsDependents, Pool, Store, StoreError,
    cancel::Unsent,
    connect,
    end::{Ended, ReleaseEffects, end_operations},
    lanes,
    patience::WithTimeout,
};
use crate::{
    domain::{End, OperationId, OperationType},
    telemetry::chain,
};

/// The largest number of operations that one transaction ends.
const CHUNK: i64 = 500;
/// How long the cascade waits for a notification. After this time, it searches anyway for lanes with dependents to end.
const SAFETY_NET: Duration = Duration::from_secs(1);

impl Store {
    /// Ends the dependents of failed operations until `stop` is cancelled.
    pub async fn run_cascade(self, stop: CancellationToken) {
        let running = async {
            loop {
                let signalled = self.notifier.dependency_failure();
                match self.fail_some_dependents().await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "dependents of failed operations could not be ended; trying again");
                    }
                }
                drop(tokio::time::timeout(SAFETY_NET, signalled).await);
            }
        };
        stop.run_until_cancelled(running).await;
    }

    /// Ends one chunk of dependents in each lane that has dependents to end. Returns whether there may be more. An
    /// error in one lane does not delay the other lanes. The next call tries this lane again.
    pub async fn fail_some_dependents(&self) -> Result<bool, StoreError> {
        let mut some_ended = false;
        let mut lane = String::new();
        while let Some(next) = next_failing_lane(&self.pool, &lane).await? {
            lane = next;
            match fail_chunk(&self.pool, &lane, self.fails_dependents).await {
                Ok((ended, effects)) => {
                    some_ended = true;
                    self.notify_unsent(&ended, effects);
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the dependents of a failed operation could not be ended; trying again");
                }
            }
        }
        Ok(some_ended)
    }
}

/// Returns the next lane after this key that has dependents to end and is not locked.
async fn next_failing_lane(pool: &Pool, after: &str) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar!(
        "SELECT key FROM lane
          WHERE failing_dependents AND key > $1
          ORDER BY key
          LIMIT 1
            FOR NO KEY UPDATE SKIP LOCKED",
        after
    )
    .fetch_optional(pool)
    .or_fail_to("look for lanes with failing dependents")
    .await
}

async fn fail_chunk(
    pool: &Pool,
    lane: &str,
    fails_dependents: FailsDependents,
) -> Result<(Vec<Unsent>, ReleaseEffects), StoreError> {
    const ACTION: &str = "end dependents of a failed operation";
    let mut transaction = connect::begin_batch(pool).or_fail_to(ACTION).await?;
    // The lanes of the dependents are known only after the dependents were read. Then the lanes are locked in the order
    // of their keys, and the dependents are read again.
    let first = read_failure(&mut transaction, lane).await?;
    let mut keys: Vec<String> = match &first {
        Some(failure) => read_dependents(&mut transaction, lane, failure).await?,
        None => Vec::new(),
    }
    .iter()
    .flat_map(|dependent| dependent.lane_entries.lanes())
    .chain([lane.to_owned()])
    .collect();
    keys.sort_unstable();
    keys.dedup();
    lanes::lock(&mut transaction, &keys)
        .or_fail_to(ACTION)
        .await?;
    let locked: HashSet<String> = keys.into_iter().collect();
    let Some(failure) = read_failure(&mut transaction, lane).await? else {
        let effects = finish(&mut transaction, lane).or_fail_to(ACTION).await?;
        transaction.commit().or_fail_to(ACTION).await?;
        return Ok((Vec::new(), effects));
    };
    let mut all = read_dependents(&mut transaction, lane, &failure).await?;
    // A create does not depend on a failure before it, and the operations behind the create depend on the create. So
    // the dependents end before the first create.
    let create = all.iter().position(|unsent| {
        unsent.operation_type.is_some_and(OperationType::is_create)
            && unsent.lane_entries.lane == lane
    });
    let ends_at = create.and_then(|index| all.drain(index..).next());
    let none_is_left = all.is_empty();
    let dependents: Vec<Unsent> = all
        .into_iter()
        .filter(|dependent| {
            locked.contains(&dependent.lane_entries.lane)
                && dependent
                    .lane_entries
                    .read
                    .as_ref()
                    .is_none_or(|(lane, _)| locked.contains(lane))
        })
        .collect();
    let effects = if none_is_left {
        let ends_at = ends_at.map(|create| create.lane_entries.position);
        forget_failure(&mut transaction, lane, &failure, ends_at)
            .or_fail_to(ACTION)
            .await?;
        ReleaseEffects::default()
    } else {
        end_dependents(
            &mut transaction,
            (lane, &failure),
            &dependents,
            fails_dependents,
        )
        .await?
    };
    transaction.commit().or_fail_to(ACTION).await?;
    Ok((dependents, effects))
}

/// Reads the first dependents of a failure, in the order of their positions. An operation that was admitted is not a
/// dependent, because it was accepted after the failure mark had lost its effect.
async fn read_dependents(
    connection: &mut PgConnection,
    lane: &str,
    failure: &Failure,
) -> Result<Vec<Unsent>, StoreError> {
    sqlx::query!(
        "SELECT o.id, o.type, o.lane, o.position, o.read_lane, o.read_position
           FROM lane_entry p
           JOIN operation o ON o.id = p.operation_id AND o.state = 'waiting'
          WHERE p.lane = $1 AND p.position > $3 AND p.position < $4
          ORDER BY p.position
          LIMIT $2",
        lane,
        CHUNK,
        failure.position,
        failure.below
    )
    .fetch_all(connection)
    .or_fail_to("read dependents of a failed operation")
    .await
    .map(|rows| {
        let dependents = rows.into_iter().map(|row| {
            let read = row.read_lane.zip(row.read_position);
            Unsent::of(row.id, &row.r#type, (row.lane, row.position), read)
        });
        dependents.collect()
    })
}

async fn end_dependents(
    connection: &mut PgConnection,
    (lane, failure): (&str, &Failure),
    dependents: &[Unsent],
    fails_dependents: FailsDependents,
) -> Result<ReleaseEffects, StoreError> {
    const ACTION: &str = "end dependents of a failed operation";
    let (cause, code) = read_cause(connection, failure).await?;
    let ends: Vec<End> = dependents
        .iter()
        .map(|dependent| End::Failed {
            body: None,
            message: format!("Not sent: {cause}, on which it depends, failed"),
            code: code.to_owned(),
            // In this lane, the mark of the original failure is enough. If the dependent writes another lane, its own
            // failure marks that lane.
            fails_dependents: dependent.lane_entries.lane != lane
                && dependent.fails_dependents(fails_dependents),
        })
        .collect();
    let ended: Vec<Ended<'_>> = dependents
        .iter()
        .zip(&ends)
        .map(|(dependent, end)| dependent.ended(end, Some(OperationId(failure.failed_by))))
        .collect();
    sqlx::query!(
        "UPDATE operation
            SET state = 'failed', due_at = NULL, reason_code = NULL, reason_since = NULL, ended_at = now()
          WHERE id = ANY ($1)",
        &dependents.iter().map(|dependent| dependent.id.0).collect::<Vec<_>>()
    )
    .execute(&mut *connection)
    .or_fail_to(ACTION)
    .await?;
    end_operations(connection, &ended, false)
        .or_fail_to(ACTION)
        .await
}

/// Clears the flag of a lane in which no failure has dependents left, and admits the operations that are now first in
/// this lane.
async fn finish(connection: &mut PgConnection, lane: &str) -> Result<ReleaseEffects, sqlx::Error> {
    sqlx::query!(
        "UPDATE lane SET failing_dependents = false WHERE key = $1",
        lane
    )
    .execute(&mut *connection)
    .await?;
    let has_ready = lanes::admit(connection, &[lane.to_owned()]).await?;
    Ok(ReleaseEffects {
        has_ready,
        ..ReleaseEffects::default()
    })
}
