//! The transaction that writes completions, each fenced by its attempt number.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Completion, CompletionNotifier, LaneEntries, Pool, StoreError, connect,
    lane_release::{LaneReleases, ReleaseEffects},
    patience::WithTimeout,
    results::{FailureRow, Results},
};
use crate::{
    domain::{End, OperationId, OperationType, Outcome, Reply, State},
    telemetry::{chain, metrics::count_alarm},
};

/// The completions whose attempts still had the lease, as pairs of operation id and attempt number.
pub(super) type Leased = HashSet<(Uuid, i32)>;

/// Writes all of these completions, or none of them if there is an error. Then notifies callers, workers and the
/// cascade. Returns the completions whose attempts still had the lease.
pub(super) async fn complete_all(
    pool: &Pool,
    notifier: &CompletionNotifier,
    batch: &[Completion],
) -> Result<Leased, StoreError> {
    let (leased, effects) = write_all(pool, batch).await?;
    notify(notifier, batch, &leased, effects);
    Ok(leased)
}

fn notify(
    notifier: &CompletionNotifier,
    batch: &[Completion],
    leased: &Leased,
    effects: ReleaseEffects,
) {
    let ended = batch
        .iter()
        .filter(|row| row.outcome.state().is_end() && leased.contains(&row.fence()));
    notifier.notify_ended(ended.map(|row| row.id));
    if effects.has_ready || batch.iter().any(|row| row.outcome.state() == State::Ready) {
        notifier.notify_work();
    }
    if effects.fails_dependents {
        notifier.notify_dependency_failure();
    }
    if effects.has_number_conflict {
        tracing::error!(
            alarm = "number_conflict",
            "Fineract assigned a number that another client or loan has already: Fineract's books were restored or replaced (see the table number_conflict)"
        );
        count_alarm("number_conflict");
    }
}

async fn write_all(
    pool: &Pool,
    batch: &[Completion],
) -> Result<(Leased, ReleaseEffects), StoreError> {
    const ACTION: &str = "complete operations";
    let mut transaction = connect::begin_batch(pool).or_fail_to(ACTION).await?;
    let mut keys: Vec<String> = batch
        .iter()
        .filter(|row| row.outcome.state().is_end())
        .flat_map(|row| row.lane_entries.lanes())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    store_replies_and_lock(&mut transaction, batch, &keys)
        .or_fail_to(ACTION)
        .await?;
    #[cfg(feature = "sabotage")]
    super::unfenced::take_over(&mut transaction, batch)
        .or_fail_to(ACTION)
        .await?;
    let (leased, transaction_id) = update_operations(&mut transaction, batch)
        .or_fail_to(ACTION)
        .await?;
    #[cfg(feature = "sabotage")]
    super::unfenced::number_on(&mut transaction, batch)
        .or_fail_to(ACTION)
        .await?;
    let ended: Vec<Ended<'_>> = batch
        .iter()
        .filter(|row| leased.contains(&row.fence()))
        .filter_map(|row| match &row.outcome {
            Outcome::End(end) => Some((row.id, &row.lane_entries, end)),
            Outcome::Retry { .. } | Outcome::Park { .. } => None,
        })
        .collect();
    let effects = if ended.is_empty() {
        ReleaseEffects::default()
    } else {
        end(&mut transaction, &ended, LaneReleases::default())
            .or_fail_to(ACTION)
            .await?
    };
    if let Err(error) = transaction.commit().or_fail_to(ACTION).await
        && !has_committed(pool, transaction_id).await
    {
        return Err(error);
    }
    Ok((leased, effects))
}

/// Whether the transaction was committed. Asks again and again until Postgres answers.
async fn has_committed(pool: &Pool, transaction_id: Option<String>) -> bool {
    let Some(id) = transaction_id else {
        return false;
    };
    loop {
        match connect::has_committed(pool, &id).await {
            Ok(has_committed) => return has_committed,
            Err(error) => tracing::error!(
                error = %chain(&error),
                "the database does not say whether completions were committed; asking again"
            ),
        }
    }
}

/// Stores each reply with its attempt, even if another worker has leased the operation in the meantime. The same
/// statement locks the lanes in the order of their keys.
pub(super) async fn store_replies_and_lock(
    connection: &mut PgConnection,
    batch: &[Completion],
    lanes: &[String],
) -> Result<(), sqlx::Error> {
    let replied: Vec<(&Completion, &Reply)> = batch
        .iter()
        .filter_map(|row| row.reply.as_ref().map(|reply| (row, reply)))
        .collect();
    let answer = |reply: &&Reply| match reply {
        Reply::Answer(answer) => Some(answer.clone()),
        Reply::Failure(_) => None,
    };
    let answers: Vec<_> = replied.iter().map(|(_, reply)| answer(reply)).collect();
    let errors: Vec<Option<String>> = replied
        .iter()
        .map(|(_, reply)| match reply {
            Reply::Answer(_) => None,
            Reply::Failure(failure) => Some(failure.as_str().to_owned()),
        })
        .collect();
    sqlx::query!(
        "WITH kept AS (
            UPDATE attempt a
               SET answered_at = now(), status = r.status, cached = r.cached, answer = r.answer, error = r.error
              FROM unnest($1::uuid[], $2::int[], $3::smallint[], $4::bool[], $5::text[], $6::text[])
                   AS r (id, number, status, cached, answer, error)
             WHERE a.operation_id = r.id AND a.number = r.number AND a.answered_at IS NULL
         )
         SELECT key FROM lane WHERE key = ANY ($7) ORDER BY key FOR NO KEY UPDATE",
        &replied.iter().map(|(row, _)| row.id.0).collect::<Vec<_>>(),
        &replied.iter().map(|(row, _)| row.attempt).collect::<Vec<_>>(),
        &answers
            .iter()
            .map(|answer| answer.as_ref().and_then(|answer| i16::try_from(answer.status).ok()))
            .collect::<Vec<_>>() as &[Option<i16>],
        &answers.iter().map(|a| a.as_ref().map(|a| a.cached)).collect::<Vec<_>>() as &[Option<bool>],
        &answers.into_iter().map(|a| a.map(|a| a.body)).collect::<Vec<_>>() as &[Option<String>],
        &errors as &[Option<String>],
        lanes,
    )
    .fetch_all(connection)
    .await
    .map(drop)
}

/// Updates the operations whose attempts still have the lease. Returns these operations, and the id of the transaction.
async fn update_operations(
    connection: &mut PgConnection,
    batch: &[Completion],
) -> Result<(Leased, Option<String>), sqlx::Error> {
    let delay = |row: &Completion| match &row.outcome {
        Outcome::Retry { delay, .. } => Some(delay.as_secs_f64()),
        Outcome::End(_) | Outcome::Park { .. } => None,
    };
    let reason_code = |row: &Completion| match &row.outcome {
        Outcome::Retry { reason_code, .. } | Outcome::Park { reason_code } => {
            Some((*reason_code).to_owned())
        }
        Outcome::End(_) => None,
    };
    let new_key = |row: &Completion| row.outcome.takes_new_key();
    let counts = |row: &Completion| match &row.outcome {
        Outcome::Retry { counts, .. } => *counts,
        Outcome::End(_) | Outcome::Park { .. } => Some(true),
    };
    // Sort the rows by id, because a cancel locks the rows in this order too.
    let mut batch: Vec<&Completion> = batch.iter().collect();
    batch.sort_unstable_by_key(|row| row.id.0);
    let rows = sqlx::query!(
        r#"UPDATE operation o
              SET state = s.state,
                  due_at = CASE s.state WHEN 'ready' THEN now() + make_interval(secs => s.delay) END,
                  key_number = o.key_number + s.new_key::int,
                  reason_code = s.reason_code,
                  -- If the time until now does not count towards parking, as in an outage, the count begins now.
                  reason_since = CASE WHEN s.reason_code IS NOT NULL THEN
                      CASE WHEN s.state = 'parked' OR (s.counts IS TRUE AND NOT o.reason_counts) THEN now()
                           ELSE COALESCE(o.reason_since, now()) END END,
                  reason_counts = COALESCE(s.counts, o.reason_counts),
                  -- An answer that arrived late overrides what an operator believed.
                  resolution = CASE WHEN s.state IN ('ready', o.resolution) THEN o.resolution END,
                  ended_at = CASE WHEN s.state IN ('succeeded', 'failed') THEN now() END
             FROM unnest($1::uuid[], $2::int[], $3::text[], $4::float8[], $5::bool[], $6::text[], $7::bool[])
                  AS s (id, attempt, state, delay, new_key, reason_code, counts)
            WHERE o.id = s.id AND o.attempt = s.attempt AND o.state = 'running'
        RETURNING o.id, o.attempt, pg_current_xact_id()::text AS "transaction_id!""#,
        &batch.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.attempt).collect::<Vec<_>>(),
        &batch.iter().map(|row| row.outcome.state().as_str().to_owned()).collect::<Vec<_>>(),
        &batch.iter().copied().map(delay).collect::<Vec<_>>() as &[Option<f64>],
        &batch.iter().copied().map(new_key).collect::<Vec<_>>(),
        &batch.iter().copied().map(reason_code).collect::<Vec<_>>() as &[Option<String>],
        &batch.iter().copied().map(counts).collect::<Vec<_>>() as &[Option<bool>],
    )
    .fetch_all(connection)
    .await?;
    let transaction_id = rows.first().map(|row| row.transaction_id.clone());
    let leased = rows.into_iter().map(|row| (row.id, row.attempt)).collect();
    Ok((leased, transaction_id))
}

/// An operation that has ended, its entries in its lanes, and its end.
pub(super) type Ended<'a> = (OperationId, &'a LaneEntries, &'a End);

/// Writes the results of ended operations and releases their lanes. The lanes must be locked already.
pub(super) async fn end(
    connection: &mut PgConnection,
    ended: &[Ended<'_>],
    mut releases: LaneReleases,
) -> Result<ReleaseEffects, sqlx::Error> {
    let mut results = Results::default();
    for &(id, lane_entries, end) in ended {
        releases.remove_entries(lane_entries);
        match end {
            End::Succeeded { body, resource_id } => {
                results.push(id, Some(body.clone()), None, None);
                releases.learn(&lane_entries.lane, resource_id);
            }
            End::Failed {
                body,
                message,
                code,
                fails_dependents,
            } => {
                #[cfg(feature = "sabotage")]
                let fails_dependents = &(*fails_dependents
                    && !crate::sabotage::is(crate::sabotage::Sabotage::CascadeOff));
                let failed = FailureRow {
                    code: code.clone(),
                    message: message.clone(),
                    marked: *fails_dependents,
                    failed_with: None,
                };
                results.push(id, None, body.clone(), Some(failed));
                if *fails_dependents {
                    releases.add_failure(lane_entries, id.0);
                }
            }
        }
    }
    releases.write(&results, connection).await
}

/// Counts an end in the metrics. Call this function after the commit. A type that this gateway does not know is counted
/// as `unknown`.
pub(crate) fn count_end(operation_type: Option<OperationType>, state: State) {
    metrics::counter!(
        "gateway_operations_ended_total",
        "type" => operation_type.map_or("unknown", OperationType::as_str),
        "state" => state.as_str(),
    )
    .increment(1);
}
