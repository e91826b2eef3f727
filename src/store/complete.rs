//! The statement that writes completions, each fenced by its attempt number. It is a transaction of its own.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    Completion, CompletionNotifier, Pool, StoreError,
    end::{EndColumns, ReleaseEffects},
    lanes::WINDOW_SECONDS,
    patience::WithTimeout,
    recent_ends::RecentEnds,
    reply::ReplyColumns,
    track_row::Row,
};
use crate::{
    domain::{End, OperationType, Outcome, State},
    telemetry::metrics::count_alarm,
};

/// The completions whose attempts still had the lease, as pairs of operation id and attempt number.
pub(super) type Leased = HashSet<(Uuid, i32)>;

/// What writing completions needs. Clones share its parts.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) pool: Pool,
    pub(super) notifier: CompletionNotifier,
    pub(super) recent_ends: RecentEnds,
}

impl Group {
    /// Writes all of these completions, or none of them if there is an error. Then notifies callers, workers and the
    /// cascade. Returns the completions whose attempts still had the lease.
    ///
    /// `is_repeated`: an earlier call with these completions may have been committed, but its answer is lost. The fence
    /// makes the repetition harmless. What the earlier call has written counts as written by this call.
    pub(super) async fn complete_all(
        &self,
        batch: &[Completion],
        is_repeated: bool,
    ) -> Result<Leased, StoreError> {
        let mut rows: Vec<&Completion> = batch.iter().collect();
        // The order in which all transactions lock operations.
        rows.sort_unstable_by_key(|row| row.id.0);
        let writing = write_all(&self.pool, &rows, is_repeated);
        let written = writing.or_fail_to("complete operations").await?;
        self.recent_ends.add(written.ended);
        notify(&self.notifier, batch, &written.leased, written.effects);
        Ok(written.leased)
    }
}

/// What one statement has written.
struct Written {
    leased: Leased,
    /// The rows of the operations that it has ended, as far as it is known when they ended.
    ended: Vec<Row>,
    effects: ReleaseEffects,
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

#[cfg(not(feature = "sabotage"))]
use write as write_all;

/// Writes completions in a gateway that may lack the fence.
#[cfg(feature = "sabotage")]
async fn write_all(
    pool: &Pool,
    rows: &[&Completion],
    is_repeated: bool,
) -> Result<Written, sqlx::Error> {
    let mut transaction = super::connect::begin(pool).await?;
    super::unfenced::take_over(&mut transaction, rows).await?;
    let written = write(&mut *transaction, rows, is_repeated).await?;
    super::unfenced::number_on(&mut transaction, rows).await?;
    transaction.commit().await?;
    Ok(written)
}

async fn write(
    executor: impl PgExecutor<'_>,
    rows: &[&Completion],
    is_repeated: bool,
) -> Result<Written, sqlx::Error> {
    let next = NextColumns::of(rows);
    let replies = ReplyColumns::of(rows);
    let ends = EndColumns::of(rows.iter().map(|row| (&row.lane_entries, end(row))));
    let written = sqlx::query!(
        r#"SELECT leased AS "leased!", COALESCE(has_ready, false) AS "has_ready!",
                  COALESCE(has_dependents, false) AS "fails_dependents!",
                  COALESCE(has_number_conflict, false) AS "has_number_conflict!", now() AS "now!"
             FROM complete_operations($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                                      $20, $21, $22, $23, $24, $25, $26, $27)"#,
        &rows.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.attempt).collect::<Vec<_>>(),
        &next.states,
        &next.delays as &[Option<f64>],
        &next.new_keys,
        &next.reason_codes as &[Option<String>],
        &next.counts as &[Option<bool>],
        &replies.replied,
        &replies.statuses as &[Option<i16>],
        &replies.cached as &[Option<bool>],
        &replies.answers as &[Option<String>],
        &replies.errors as &[Option<String>],
        &ends.lanes,
        &ends.positions,
        &ends.read_lanes as &[Option<String>],
        &ends.read_positions as &[Option<i64>],
        &ends.learned,
        &ends.resource_ids as &[Option<i64>],
        &ends.resource_names as &[Option<String>],
        &ends.fail_dependents,
        &ends.successes as &[Option<String>],
        &ends.failures as &[Option<String>],
        &ends.codes as &[Option<String>],
        &ends.messages as &[Option<String>],
        &lanes_of_ended(rows),
        is_repeated,
        WINDOW_SECONDS,
    )
    .fetch_one(executor)
    .await?;
    let fence = |number: &i64| {
        let index = usize::try_from(number - 1).ok()?;
        Some(rows.get(index)?.fence())
    };
    let leased: Leased = written.leased.iter().filter_map(fence).collect();
    let ended = if is_repeated {
        Vec::new()
    } else {
        ends.into_rows(rows, &leased, written.now)
    };
    Ok(Written {
        leased,
        ended,
        effects: ReleaseEffects {
            has_ready: written.has_ready,
            fails_dependents: written.fails_dependents,
            has_number_conflict: written.has_number_conflict,
        },
    })
}

impl EndColumns {
    /// The rows of the operations that have ended now, as `track` reads them.
    fn into_rows(
        self,
        completions: &[&Completion],
        leased: &Leased,
        ended_at: DateTime<Utc>,
    ) -> Vec<Row> {
        let results = self.successes.into_iter().zip(self.failures);
        let results = results.zip(self.messages).zip(self.fail_dependents);
        completions
            .iter()
            .zip(results)
            .filter(|(row, _)| row.outcome.state().is_end() && leased.contains(&row.fence()))
            .map(|(row, (((success, failure), message), marked))| Row {
                id: row.id.0,
                r#type: row.operation_type.as_str().to_owned(),
                state: row.outcome.state().as_str().to_owned(),
                ended_at: Some(ended_at),
                success,
                failure,
                message,
                marked: Some(marked),
                caller: None,
            })
            .collect()
    }
}

fn end(row: &Completion) -> Option<&End> {
    match &row.outcome {
        Outcome::End(end) => Some(end),
        Outcome::Retry { .. } | Outcome::Park { .. } => None,
    }
}

/// The lanes that these completions release, if their attempts still have the lease.
fn lanes_of_ended(rows: &[&Completion]) -> Vec<String> {
    let ended = rows.iter().filter(|row| end(row).is_some());
    ended.flat_map(|row| row.lane_entries.lanes()).collect()
}

/// What happens to the operations next, as columns.
#[derive(Default)]
struct NextColumns {
    states: Vec<String>,
    delays: Vec<Option<f64>>,
    new_keys: Vec<bool>,
    reason_codes: Vec<Option<String>>,
    counts: Vec<Option<bool>>,
}

impl NextColumns {
    fn of(rows: &[&Completion]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            let (delay, reason_code, counts) = match &row.outcome {
                Outcome::End(_) => (None, None, Some(true)),
                Outcome::Park { reason_code } => (None, Some(*reason_code), Some(true)),
                Outcome::Retry {
                    delay,
                    reason_code,
                    counts,
                    new_key: _,
                } => (Some(delay.as_secs_f64()), Some(*reason_code), *counts),
            };
            columns.states.push(row.outcome.state().as_str().to_owned());
            columns.delays.push(delay);
            columns.new_keys.push(row.outcome.takes_new_key());
            columns.reason_codes.push(reason_code.map(str::to_owned));
            columns.counts.push(counts);
        }
        columns
    }
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
