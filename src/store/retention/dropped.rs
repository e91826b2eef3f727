//! Dropping old months of the archive, and what is still known of their operations.

use std::{collections::HashMap, io, path::Path, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    Retention, RetentionReport, RetentionRun, RetentionSettings, export::export, lease::Progress,
};
use crate::{
    domain::{OperationId, Owner, TrackingId},
    store::{Store, StoreError, TrackingName, connect, patience::WithTimeout, pool::Transaction},
    telemetry::chain,
};

const ACTION: &str = "drop a month of the archive";

/// How often a month is tried whose tables are in use. A month that is always in use stays until the next run.
const TRIES: u32 = 20;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// An operation whose rows are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedOperation {
    /// Its id.
    pub id: OperationId,
    /// Its tracking id.
    pub tracking_id: TrackingName,
    /// Who sent it (`payload.caller`).
    pub caller: String,
    /// When its rows were dropped.
    pub dropped_at: DateTime<Utc>,
}

impl Retention {
    /// Drops every month whose operations all ended longer ago than they are kept. If one cannot be dropped, goes on with the
    /// others, and fails in the end.
    pub(super) async fn drop_months(
        &self,
        settings: RetentionSettings,
        report: &mut RetentionReport,
    ) -> Result<RetentionRun, StoreError> {
        let Some(kept_for) = settings.kept_for else {
            return Ok(RetentionRun::Done(*report));
        };
        let mut failed = None;
        for month in self.months().await? {
            let dropping = self.drop_month(month.month, kept_for);
            match self.going_on(*report, dropping).await {
                Ok(is_dropped) => report.dropped += i32::from(is_dropped),
                Err(error) => {
                    tracing::warn!(month = %month.month, error = %chain(&error), "a month of the archive could not be dropped");
                    failed.get_or_insert(error);
                }
            }
            if self.record(report).await? == Progress::TakenOver {
                return Ok(RetentionRun::Elsewhere);
            }
        }
        failed.map_or(Ok(RetentionRun::Done(*report)), Err)
    }

    /// Drops a month, if it is old enough. Before, exports it if that is asked for.
    async fn drop_month(&self, month: NaiveDate, kept_for: Duration) -> Result<bool, StoreError> {
        let begin = connect::begin(&self.pool);
        let mut transaction = begin.or_fail_to(ACTION).await?;
        if !try_to_drop(&mut transaction, month, kept_for).await? {
            return Ok(false);
        }
        if let Some(folder) = &self.export_to {
            // Only the function that drops a month knows whether the month may go. A transaction that has written is not kept
            // open during an export: vacuum and the numbering of events would wait for it.
            transaction.rollback().or_fail_to(ACTION).await?;
            return self.export_and_drop(month, kept_for, folder).await;
        }
        if is_exporter_running(&mut transaction).await? {
            return Err(StoreError::Export(io::Error::other(
                "other gateways have RETENTION_EXPORT_DIR, and this process does not",
            )));
        }
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(true)
    }

    async fn export_and_drop(
        &self,
        month: NaiveDate,
        kept_for: Duration,
        folder: &Path,
    ) -> Result<bool, StoreError> {
        let begin = connect::begin_batch(&self.pool);
        let mut transaction = begin.or_fail_to(ACTION).await?;
        // Until the end of the transaction, nothing is erased, and nothing more is archived in this month.
        let locking = transaction.execute(
            "SELECT pg_advisory_xact_lock(x'6578706f7274'::bigint), pg_advisory_xact_lock(x'617263686976'::bigint)",
        );
        locking.or_fail_to(ACTION).await?;
        let file = export(&mut transaction, month, folder).await?;
        let is_dropped = try_to_drop(&mut transaction, month, kept_for).await;
        if !matches!(is_dropped, Ok(true)) {
            // The month stays, and is exported again later.
            file.remove().await;
            return is_dropped;
        }
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(true)
    }
}

/// Whether a gateway runs that exports months, or ran within the last hour.
async fn is_exporter_running(transaction: &mut Transaction) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM gateway_process WHERE exports_months) AS "is_running!""#
    )
    .fetch_one(&mut **transaction)
    .or_fail_to(ACTION)
    .await
}

/// Drops a month in this transaction, after a savepoint, if it is old enough.
async fn try_to_drop(
    transaction: &mut Transaction,
    month: NaiveDate,
    kept_for: Duration,
) -> Result<bool, StoreError> {
    let saving = transaction.execute("SAVEPOINT before_drop");
    saving.or_fail_to(ACTION).await?;
    for _ in 0..TRIES {
        let dropping = sqlx::query_scalar!(
            r#"SELECT drop_archive_month($1, now() - make_interval(secs => $2)) AS "is_dropped!""#,
            month,
            kept_for.as_secs_f64()
        );
        let dropping = dropping.fetch_one(&mut **transaction);
        match dropping.or_fail_to(ACTION).await {
            Err(error) if error.is_lock_timeout() => {
                let undoing = transaction.execute("ROLLBACK TO SAVEPOINT before_drop");
                undoing.or_fail_to(ACTION).await?;
                sleep(PAUSE).await;
            }
            result => return result,
        }
    }
    tracing::warn!(%month, "a month of the archive could not be dropped, because it is in use all the time");
    Ok(false)
}

impl DroppedOperation {
    /// Its tracking id, if this gateway knows the type.
    pub fn known_tracking_id(&self) -> Option<TrackingId> {
        self.tracking_id.to_string().parse().ok()
    }
}

impl Store {
    /// When the rows of an operation with this id and type were dropped. `None`: there is no such operation, it is still
    /// there, or it is of another owner than `only`.
    pub async fn dropped_at(
        &self,
        tracking_id: TrackingId,
        only: Option<&Owner>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let dropped = self.dropped_of(&[tracking_id], only).await?;
        Ok(dropped.get(&tracking_id).copied())
    }

    /// As [`dropped_at`](Self::dropped_at), for several operations.
    pub async fn dropped_of(
        &self,
        tracking_ids: &[TrackingId],
        only: Option<&Owner>,
    ) -> Result<HashMap<TrackingId, DateTime<Utc>>, StoreError> {
        let ids: Vec<OperationId> = tracking_ids.iter().map(|id| id.id).collect();
        let dropped = self.dropped(&ids).await?.into_iter();
        let own = dropped.filter(|one| only.is_none_or(|owner| owner.has_sent(&one.caller)));
        let named = own.filter_map(|one| Some((one.known_tracking_id()?, one.dropped_at)));
        Ok(named.filter(|(id, _)| tracking_ids.contains(id)).collect())
    }

    /// Those of these operations whose rows are gone.
    pub async fn dropped(&self, ids: &[OperationId]) -> Result<Vec<DroppedOperation>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = sqlx::query!(
            "SELECT p.id, p.type, p.caller, d.dropped_at
               FROM past_operation p
               JOIN dropped_month d ON d.month = month_of_id(p.id)
              WHERE p.id = ANY ($1)
                AND p.id NOT IN (SELECT id FROM archived_operations($1))",
            &ids
        )
        .fetch_all(&self.pool)
        .or_fail_to("look for operations whose rows are gone")
        .await?;
        let dropped = rows.into_iter().map(|row| DroppedOperation {
            id: OperationId(row.id),
            tracking_id: TrackingName::new(&row.r#type, row.id),
            caller: row.caller,
            dropped_at: row.dropped_at,
        });
        Ok(dropped.collect())
    }
}
