//! Puts everything on hold: first the operations that are accepted from now on, then the existing operations.

use std::time::{Duration, Instant};

use super::{begin_exclusively, end_active, read_active};
use crate::store::{
    Pool, StoreError,
    patience::{RETRY_PAUSE, WithTimeout},
};

const ACTION: &str = "put everything on hold";
/// The largest number of operations that one transaction puts on hold.
const CHUNK: i64 = 1_000;
/// How long to wait for operations whose rows another session has locked.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// The reason that is stored for a hold that was replaced by a new one.
const REPLACED: &str = "everything was put on hold again";

/// The result of putting everything on hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// How many operations this call has put on hold.
    pub operations: u64,
    /// How many operations on hold have an attempt that was committed before the hold and whose answer is not written
    /// yet.
    pub under_way: u64,
}

/// Puts everything on hold, for every gateway on the database. After this function has returned, no operation is
/// claimed and no attempt is committed until operators release the operation. This includes operations that are
/// accepted later. An attempt that was committed before the hold runs to its end.
///
/// After an error, the operations that this call has already put on hold stay on hold. If the hold-all has begun,
/// operations that are accepted later are on hold too. The call can be repeated.
pub async fn hold_all(pool: &Pool, reason: &str, by: &str) -> Result<Covered, StoreError> {
    let mut transaction = begin_exclusively(pool).await?;
    end_active(&mut transaction, by, REPLACED)
        .or_fail_to(ACTION)
        .await?;
    let id = sqlx::query_scalar!(
        "INSERT INTO hold_all (reason, held_by) VALUES ($1, $2) RETURNING id",
        reason,
        by
    )
    .fetch_one(&mut *transaction)
    .or_fail_to(ACTION)
    .await?;
    transaction.commit().or_fail_to(ACTION).await?;
    cover(pool, id).await
}

/// Makes sure that everything is on hold. If a hold-all is already active and covers all operations, this function
/// changes nothing: operations that were released stay released.
pub async fn keep_on_hold(pool: &Pool, reason: &str, by: &str) -> Result<Covered, StoreError> {
    match read_active(pool).await? {
        Some(hold) if hold.covers_all_since.is_some() => Ok(Covered::default()),
        // The process that began this hold has died, or is still putting the existing operations on hold. Putting an
        // operation on hold twice has no further effect.
        Some(hold) => cover(pool, hold.id).await,
        None => hold_all(pool, reason, by).await,
    }
}

/// Puts the existing operations on hold, and then records that the hold covers all operations.
async fn cover(pool: &Pool, hold: i64) -> Result<Covered, StoreError> {
    let give_up = Instant::now() + MAX_WAIT;
    let mut operations = 0;
    loop {
        let pass = mark_all(pool, hold).await?;
        operations += pass.marked;
        if pass.left == 0 {
            break;
        }
        if Instant::now() >= give_up {
            return Err(StoreError::Locked);
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    sqlx::query!(
        "UPDATE hold_all SET covers_all_since = now() WHERE id = $1 AND covers_all_since IS NULL",
        hold
    )
    .execute(pool)
    .or_fail_to(ACTION)
    .await?;
    Ok(Covered {
        operations,
        under_way: count_under_way(pool).await?,
    })
}

/// The result of going once through all operations that have not ended.
#[derive(Default)]
struct Pass {
    marked: u64,
    /// The number of operations that were left out because another session had locked them.
    left: u64,
}

/// Goes once through all operations that have not ended, and puts them on hold. Each such operation writes exactly one
/// lane, so the function reads only the lane entries of writers. It therefore takes no longer if many operations have
/// ended.
async fn mark_all(pool: &Pool, hold: i64) -> Result<Pass, StoreError> {
    let mut pass = Pass::default();
    let mut after = (String::new(), 0);
    loop {
        let chunk = sqlx::query!(
            r#"WITH chunk AS (
                 SELECT lane, position, operation_id
                   FROM lane_entry
                  WHERE writes AND (lane, position) > ($2, $3)
                  ORDER BY lane, position
                  LIMIT $4
               ), open AS (
                 SELECT o.id
                   FROM operation o
                   JOIN chunk ON chunk.operation_id = o.id
                  WHERE o.ended_at IS NULL
                    -- Leaves out operations on hold whose read_first is set, and those accepted during this hold-all.
                    AND NOT (o.on_hold AND (o.read_first OR o.hold_all IS NOT DISTINCT FROM $1))
               ), free AS (
                 -- Skips locked operations: their attempts may be in the middle of a commit. The caller tries again.
                 SELECT o.id
                   FROM operation o
                   JOIN open USING (id)
                  WHERE o.ended_at IS NULL
                    FOR NO KEY UPDATE OF o SKIP LOCKED
               ), marked AS (
                 UPDATE operation o
                    SET on_hold = true, read_first = true,
                        -- NULL if an operator put it on hold individually: a release of the others leaves it on hold.
                        hold_all = CASE WHEN o.on_hold AND o.hold_all IS NULL THEN NULL ELSE $1 END
                   FROM free
                  WHERE o.id = free.id
              RETURNING o.id
               )
               SELECT (SELECT count(*) FROM open) AS "open!", (SELECT count(*) FROM marked) AS "marked!",
                      last.lane AS "lane!", last.position AS "position!"
                 FROM (SELECT lane, position FROM chunk ORDER BY lane DESC, position DESC LIMIT 1) last"#,
            hold,
            after.0,
            after.1,
            CHUNK
        )
        .fetch_optional(pool)
        .or_fail_to(ACTION)
        .await?;
        let Some(chunk) = chunk else {
            return Ok(pass);
        };
        pass.marked += u64::try_from(chunk.marked).unwrap_or_default();
        pass.left += u64::try_from(chunk.open - chunk.marked).unwrap_or_default();
        after = (chunk.lane, chunk.position);
    }
}

async fn count_under_way(pool: &Pool) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!"
             FROM operation o
             JOIN attempt a ON a.operation_id = o.id AND a.number = o.attempt
            WHERE o.on_hold AND o.ended_at IS NULL AND o.state = 'running' AND a.answered_at IS NULL"#
    )
    .fetch_one(pool)
    .or_fail_to(ACTION)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}
