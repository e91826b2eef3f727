//! Ending those that fall with a failure, in chunks: the failure itself completed at once.

mod failure;

use std::{collections::HashSet, time::Duration};

use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use self::failure::{Failure, forget_failure, read_cause, read_failure};
use super::{
    Asking, FailsDependents, Pool, Store, StoreError,
    cancel::Unsent,
    connect,
    lanes::{self, Departed, LaneReleases},
    results::{FailureRow, Results},
};
use crate::{domain::OperationType, telemetry::chain};

/// Operations ended in one transaction.
const CHUNK: i64 = 500;
/// How often falling lanes are looked for when nobody said that there is one.
const SAFETY_NET: Duration = Duration::from_secs(1);

impl Store {
    /// Ends what falls, until it is cancelled.
    pub async fn run_cascade(self, stop: CancellationToken) {
        let running = async {
            loop {
                let signalled = self.notifier.fails_dependents();
                match self.fell_some().await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "failing_dependents operations wait");
                    }
                }
                drop(tokio::time::timeout(SAFETY_NET, signalled).await);
            }
        };
        stop.run_until_cancelled(running).await;
    }

    /// Ends a chunk of each falling lane; whether there may be more. What cannot be ended in one lane holds up no
    /// other: it is tried again with the next call.
    pub async fn fell_some(&self) -> Result<bool, StoreError> {
        let mut some_fell = false;
        let mut lane = String::new();
        while let Some(next) = next_falling(&self.pool, &lane).await? {
            lane = next;
            match fell_chunk(&self.pool, &lane, self.fails_dependents).await {
                Ok((ended, departed)) => {
                    some_fell = true;
                    self.announce_unsent(&ended, departed);
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the operations that fall in a lane wait");
                }
            }
        }
        Ok(some_fell)
    }
}

/// The falling lane that comes after this key, of those that nobody has locked.
async fn next_falling(pool: &Pool, after: &str) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar!(
        "SELECT key FROM lane
          WHERE failing_dependents AND key > $1
          ORDER BY key
          LIMIT 1
            FOR NO KEY UPDATE SKIP LOCKED",
        after
    )
    .fetch_optional(pool)
    .or_fail_to("look for failing_dependents lanes")
    .await
}

async fn fell_chunk(
    pool: &Pool,
    lane: &str,
    fails_dependents: FailsDependents,
) -> Result<(Vec<Unsent>, Departed), StoreError> {
    const ACTION: &str = "end failing_dependents operations";
    let mut transaction = connect::begin_batch(pool).or_fail_to(ACTION).await?;
    // Which lanes they stand in is known only after a look; the lanes are locked in their order, and
    // the look is taken again.
    let first = read_failure(&mut transaction, lane).await?;
    let mut keys: Vec<String> = match &first {
        Some(failure) => read_falling(&mut transaction, lane, failure).await?,
        None => Vec::new(),
    }
    .iter()
    .flat_map(|failing_dependents| failing_dependents.lane_entries.lanes())
    .chain([lane.to_owned()])
    .collect();
    keys.sort_unstable();
    keys.dedup();
    lanes::lock(&mut transaction, &keys)
        .or_fail_to(ACTION)
        .await?;
    let locked: HashSet<String> = keys.into_iter().collect();
    let Some(failure) = read_failure(&mut transaction, lane).await? else {
        let departed = finish(&mut transaction, lane).or_fail_to(ACTION).await?;
        transaction.commit().or_fail_to(ACTION).await?;
        return Ok((Vec::new(), departed));
    };
    let mut all = read_falling(&mut transaction, lane, &failure).await?;
    // A create depends on nothing that failed before it, and what comes behind it on the create.
    let create = all.iter().position(|unsent| {
        unsent.operation_type.is_some_and(OperationType::is_create)
            && unsent.lane_entries.lane == lane
    });
    let ends_at = create.and_then(|index| all.drain(index..).next());
    let none_is_left = all.is_empty();
    let failing_dependents: Vec<Unsent> = all
        .into_iter()
        .filter(|failing_dependents| {
            locked.contains(&failing_dependents.lane_entries.lane)
                && failing_dependents
                    .lane_entries
                    .read
                    .as_ref()
                    .is_none_or(|(lane, _)| locked.contains(lane))
        })
        .collect();
    let departed = if none_is_left {
        let ends_at = ends_at.map(|create| create.lane_entries.position);
        forget_failure(&mut transaction, lane, &failure, ends_at)
            .or_fail_to(ACTION)
            .await?;
        Departed::default()
    } else {
        end_fallen(
            &mut transaction,
            (lane, &failure),
            &failing_dependents,
            fails_dependents,
        )
        .await?
    };
    transaction.commit().or_fail_to(ACTION).await?;
    Ok((failing_dependents, departed))
}

/// The first operations of a lane that fall, in their order. One that has had its turn does not fall:
/// it was accepted after the failure had been forgotten, whatever a clock says by now.
async fn read_falling(
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
    .or_fail_to("read failing_dependents operations")
    .await
    .map(|rows| {
        let failing_dependents = rows.into_iter().map(|row| {
            let read = row.read_lane.zip(row.read_position);
            Unsent::of(row.id, &row.r#type, (row.lane, row.position), read)
        });
        failing_dependents.collect()
    })
}

async fn end_fallen(
    connection: &mut PgConnection,
    (lane, failure): (&str, &Failure),
    failing_dependents: &[Unsent],
    fails_dependents: FailsDependents,
) -> Result<Departed, StoreError> {
    const ACTION: &str = "end failing_dependents operations";
    let (cause, code) = read_cause(connection, failure).await?;
    let mut releases = LaneReleases::default();
    let mut results = Results::default();
    for fallen in failing_dependents {
        releases.leave(&fallen.lane_entries);
        // In its own lane the first failure's mark stands; in another it makes one of its own.
        let fails_dependents =
            fallen.lane_entries.lane != lane && fallen.fails_dependents(fails_dependents);
        if fails_dependents {
            releases.fell(&fallen.lane_entries, fallen.id.0);
        }
        let message = format!("Not sent: {cause}, which it rests on, failed");
        let failed = FailureRow {
            code: code.to_owned(),
            message,
            marked: true,
            failed_with: Some(failure.failed_by),
        };
        results.push(fallen.id, None, None, Some(failed));
    }
    sqlx::query!(
        "UPDATE operation
            SET state = 'failed', due_at = NULL, reason_code = NULL, reason_since = NULL, ended_at = now()
          WHERE id = ANY ($1)",
        &failing_dependents.iter().map(|fallen| fallen.id.0).collect::<Vec<_>>()
    )
    .execute(&mut *connection)
    .or_fail_to(ACTION)
    .await?;
    releases
        .write(&results, connection)
        .or_fail_to(ACTION)
        .await
}

/// No failure has dependents left to be ended: the lane goes on with what came later.
async fn finish(connection: &mut PgConnection, lane: &str) -> Result<Departed, sqlx::Error> {
    sqlx::query!(
        "UPDATE lane SET failing_dependents = false WHERE key = $1",
        lane
    )
    .execute(&mut *connection)
    .await?;
    let work = lanes::admit(connection, &[lane.to_owned()]).await?;
    Ok(Departed {
        work,
        ..Departed::default()
    })
}
