//! Ending those that fall with a failure, in chunks: the failure itself settled at once.

use std::{collections::HashSet, time::Duration};

use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use super::{
    Asking, Fells, Store, StoreError,
    cancel::Unsent,
    claimed::Places,
    connect,
    lanes::{self, Departed, Departures},
    names::TrackingName,
    results::Results,
};
use crate::{
    domain::{OperationId, OperationType, RetryEligible, State},
    telemetry::chain,
};

/// Operations ended in one transaction.
const CHUNK: i64 = 500;
/// How often falling lanes are looked for when nobody said that there is one.
const SAFETY_NET: Duration = Duration::from_secs(1);
/// Why an operation failed that depends on one that failed, for operators.
const BEHIND_FAILED: &str = "behind_failed";
/// The same behind one that was cancelled, or was not sent by its deadline.
const BEHIND_STOPPED: &str = "behind_stopped";

impl Store {
    /// Ends what falls, until it is cancelled.
    pub async fn run_cascade(self, stop: CancellationToken) {
        let running = async {
            loop {
                let signalled = self.ends.falls();
                match self.fell_some().await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "falling operations wait");
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
            match fell_chunk(&self.pool, &lane, self.fells).await {
                Ok((ended, departed)) => {
                    some_fell = true;
                    self.ends.announce_ended(ended);
                    if departed.work {
                        self.ends.announce_work();
                    }
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
async fn next_falling(pool: &PgPool, after: &str) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar!(
        "SELECT key FROM lane
          WHERE falling AND key > $1
          ORDER BY key
          LIMIT 1
            FOR NO KEY UPDATE SKIP LOCKED",
        after
    )
    .fetch_optional(pool)
    .or_fail_to("look for falling lanes")
    .await
}

async fn fell_chunk(
    pool: &PgPool,
    lane: &str,
    fells: Fells,
) -> Result<(Vec<OperationId>, Departed), StoreError> {
    const ACTION: &str = "end falling operations";
    let mut transaction = connect::begin_batch(pool).or_fail_to(ACTION).await?;
    // Which lanes they stand in is known only after a look; the lanes are locked in their order, and
    // the look is taken again.
    let mut keys: Vec<String> = read_falling(&mut transaction, lane)
        .await?
        .iter()
        .flat_map(|falling| falling.places.lanes())
        .chain([lane.to_owned()])
        .collect();
    keys.sort_unstable();
    keys.dedup();
    lanes::lock(&mut transaction, &keys)
        .or_fail_to(ACTION)
        .await?;
    let locked: HashSet<String> = keys.into_iter().collect();
    let mut all = read_falling(&mut transaction, lane).await?;
    // A create depends on nothing that failed before it, and what comes behind it on the create.
    let create = all.iter().position(|unsent| {
        unsent.operation_type.is_some_and(OperationType::is_create) && unsent.places.lane == lane
    });
    let ends_at = create.and_then(|index| all.drain(index..).next());
    let none_is_left = all.is_empty();
    let falling: Vec<Unsent> = all
        .into_iter()
        .filter(|falling| {
            locked.contains(&falling.places.lane)
                && falling
                    .places
                    .read
                    .as_ref()
                    .is_none_or(|(lane, _)| locked.contains(lane))
        })
        .collect();
    let departed = if none_is_left {
        let ends_at = ends_at.map(|create| create.places.position);
        finish(&mut transaction, lane, ends_at)
            .or_fail_to(ACTION)
            .await?
    } else {
        end_fallen(&mut transaction, lane, &falling, fells).await?
    };
    transaction.commit().or_fail_to(ACTION).await?;
    for fallen in &falling {
        super::count_end(fallen.operation_type, State::Failed);
    }
    Ok((
        falling.into_iter().map(|falling| falling.id).collect(),
        departed,
    ))
}

/// The first operations of a lane that fall, in their order. One that has had its turn does not fall:
/// it was accepted after the failure had been forgotten, whatever a clock says by now.
async fn read_falling(
    connection: &mut PgConnection,
    lane: &str,
) -> Result<Vec<Unsent>, StoreError> {
    sqlx::query!(
        "SELECT o.id, o.type, o.lane, o.position, o.read_lane, o.read_position
           FROM lane l
           JOIN place p ON p.lane = l.key
                       AND p.position > l.failed_position AND p.position < l.failed_below
           JOIN operation o ON o.id = p.operation_id AND o.state = 'waiting'
          WHERE l.key = $1 AND l.falling
          ORDER BY p.position
          LIMIT $2",
        lane,
        CHUNK
    )
    .fetch_all(connection)
    .or_fail_to("read falling operations")
    .await
    .map(|rows| {
        let falling = rows.into_iter().map(|row| Unsent {
            id: OperationId(row.id),
            operation_type: OperationType::from_name(&row.r#type),
            places: Places {
                lane: row.lane,
                position: row.position,
                read: row.read_lane.zip(row.read_position),
            },
        });
        falling.collect()
    })
}

async fn end_fallen(
    connection: &mut PgConnection,
    lane: &str,
    falling: &[Unsent],
    fells: Fells,
) -> Result<Departed, StoreError> {
    const ACTION: &str = "end falling operations";
    let (cause, code) = read_cause(connection, lane).await?;
    let mut departures = Departures::default();
    let mut results = Results::default();
    for fallen in falling {
        departures.leave(&fallen.places);
        // In its own lane the first failure's mark stands; in another it makes one of its own.
        let fells = fallen.places.lane != lane && fallen.fells(fells);
        if fells {
            departures.fell(&fallen.places, fallen.id.0);
        }
        let message = format!("Not sent: {cause}, which it rests on, failed");
        results.push(
            fallen.id,
            None,
            None,
            Some((code.to_owned(), message, true)),
        );
    }
    sqlx::query!(
        "UPDATE operation
            SET state = 'failed', due_at = NULL, why = NULL, why_since = NULL, ended_at = now()
          WHERE id = ANY ($1)",
        &falling.iter().map(|fallen| fallen.id.0).collect::<Vec<_>>()
    )
    .execute(&mut *connection)
    .or_fail_to(ACTION)
    .await?;
    departures
        .write(&results, connection)
        .or_fail_to(ACTION)
        .await
}

/// The operation whose failure marks the lane, and the code of those that fail with it.
async fn read_cause(
    connection: &mut PgConnection,
    lane: &str,
) -> Result<(TrackingName, &'static str), StoreError> {
    let cause = sqlx::query!(
        "SELECT o.id, o.type, r.code
           FROM lane l
           JOIN operation o ON o.id = l.failed_by
           JOIN result r ON r.operation_id = o.id
          WHERE l.key = $1",
        lane
    )
    .fetch_one(connection)
    .or_fail_to("read a lane's mark")
    .await?;
    let name = TrackingName::new(&cause.r#type, cause.id);
    let was_stopped = cause
        .code
        .as_deref()
        .is_some_and(RetryEligible::must_be_named);
    let code = if was_stopped {
        BEHIND_STOPPED
    } else {
        BEHIND_FAILED
    };
    Ok((name, code))
}

/// All have failed with it that are to: the lane goes on with what came later. Where that is a create, the
/// failure before it covers nothing any more.
async fn finish(
    connection: &mut PgConnection,
    lane: &str,
    ends_at: Option<i64>,
) -> Result<Departed, sqlx::Error> {
    sqlx::query!(
        "UPDATE lane
            SET falling = false, failed_below = COALESCE($2, failed_below),
                failure_read = failure_read OR $2 IS NOT NULL
          WHERE key = $1",
        lane,
        ends_at
    )
    .execute(&mut *connection)
    .await?;
    let work = lanes::grant(connection, &[lane.to_owned()]).await?;
    Ok(Departed { work, falls: false })
}
