//! The failures of a lane whose dependents are still to be ended: each by itself, as a create between two of
//! them parts them.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::RetryEligible,
    store::{Asking, StoreError, names::TrackingName},
};

/// Why an operation failed that depends on one that failed, for operators.
const BEHIND_FAILED: &str = "behind_failed";
/// The same behind one that was cancelled, or was not sent by its deadline.
const BEHIND_STOPPED: &str = "behind_stopped";

/// A failure whose dependents are still to be ended.
pub(super) struct Failure {
    /// Where the one that failed stood.
    pub(super) position: i64,
    /// Before which position its dependents stand.
    pub(super) below: i64,
    /// The operation that failed.
    pub(super) failed_by: Uuid,
}

/// The first of a lane's failures whose dependents are still to be ended. A gateway from before they were
/// kept by themselves leaves only the lane's mark.
pub(super) async fn read_failure(
    connection: &mut PgConnection,
    lane: &str,
) -> Result<Option<Failure>, StoreError> {
    sqlx::query_as!(
        Failure,
        r#"SELECT position AS "position!", max(below) AS "below!", failed_by AS "failed_by!"
             FROM (SELECT position, below, failed_by FROM lane_failure WHERE lane = $1
                    UNION ALL
                   SELECT failed_position, failed_below, failed_by
                     FROM lane
                    WHERE key = $1 AND failing_dependents AND failed_below > failed_position) failure
            GROUP BY position, failed_by
            ORDER BY position
            LIMIT 1"#,
        lane
    )
    .fetch_optional(connection)
    .or_fail_to("read a lane's failures")
    .await
}

/// The operation that failed, and the code of those that fail with it.
pub(super) async fn read_cause(
    connection: &mut PgConnection,
    failure: &Failure,
) -> Result<(TrackingName, &'static str), StoreError> {
    let cause = sqlx::query!(
        "SELECT o.id, o.type, r.code
           FROM operation o
           JOIN result r ON r.operation_id = o.id
          WHERE o.id = $1",
        failure.failed_by
    )
    .fetch_one(connection)
    .or_fail_to("read a lane's failure")
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

/// All have failed with it that are to. Where a create ended that, and the lane's mark stands before it, what
/// is accepted now depends on the create, and on that mark no more.
pub(super) async fn forget_failure(
    connection: &mut PgConnection,
    lane: &str,
    failure: &Failure,
    ends_at: Option<i64>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH gone AS (
            DELETE FROM lane_failure WHERE lane = $1 AND position = $2
         )
         UPDATE lane
            SET failed_below = CASE WHEN failed_position = $2 THEN failed_position ELSE failed_below END,
                failure_read = failure_read OR COALESCE(failed_position < $3, false)
          WHERE key = $1",
        lane,
        failure.position,
        ends_at
    )
    .execute(connection)
    .await
    .map(drop)
}
