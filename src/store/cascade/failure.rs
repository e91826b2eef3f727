//! The failures in a lane that still have dependents to end. Each failure has its own row, because a create between two
//! failures separates their dependents.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::RetryEligible,
    store::{StoreError, names::TrackingName, patience::WithTimeout},
};

/// The code of an operation that was not sent because an operation on which it depends failed.
const BEHIND_FAILED: &str = "behind_failed";
/// The code of an operation that was not sent because an operation on which it depends was cancelled or expired.
const BEHIND_STOPPED: &str = "behind_stopped";

/// A failure that still has dependents to end.
pub(super) struct Failure {
    /// The position of the failed operation.
    pub(super) position: i64,
    /// All dependents have positions before this position.
    pub(super) below: i64,
    /// The operation that failed.
    pub(super) failed_by: Uuid,
}

/// Reads the first failure in this lane that still has dependents to end. Older gateways, which do not know the table
/// `lane_failure`, write only the failure mark of the lane, so the mark is read too.
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

/// Returns the tracking id of the failed operation, and the code for its dependents.
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

/// Deletes a failure whose dependents have all ended. `ends_at` is the position of the create behind the dependents, if
/// there is one. If the failure mark is before this create, the mark loses its effect: operations that are accepted now
/// depend on the create and not on the failure.
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
