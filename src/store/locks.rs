//! Handles rows that another session has locked. A forgotten `SELECT … FOR UPDATE` must not stop operations that do not
//! need these rows.
//!
//! A batch first waits for its locks as usual, because other gateways hold a lock only for milliseconds, and Postgres
//! serves waiting sessions in turn. If the wait takes too long, the gateway looks up which rows are locked. It leaves
//! out the locked rows, writes the other rows immediately, and then tries each locked row alone. A batch that meets no
//! such lock needs no additional query.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Pool, StoreError, patience::WithTimeout};

/// How often a batch is tried if its wait for a lock times out, but no locked row is found.
pub(super) const TRIES: usize = 3;

/// The requested rows that are locked.
#[derive(Debug, Default)]
pub(super) struct Locked {
    pub(super) lanes: HashSet<String>,
    /// The operations whose own row, or the row of one of their attempts, is locked.
    pub(super) operations: HashSet<Uuid>,
}

impl Locked {
    /// Whether no row is locked.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.operations.is_empty()
    }

    /// Whether this operation or one of these lanes is locked.
    pub(super) fn concerns<'a>(&self, id: Uuid, lanes: impl IntoIterator<Item = &'a str>) -> bool {
        self.operations.contains(&id) || lanes.into_iter().any(|lane| self.lanes.contains(lane))
    }
}

/// Finds out which of these rows are locked. Does not wait for a lock, and keeps no lock.
pub(super) async fn find(
    pool: &Pool,
    lanes: &[String],
    operations: &[Uuid],
) -> Result<Locked, StoreError> {
    let rows = sqlx::query!(
        r#"WITH free_lane AS (
             SELECT key FROM lane WHERE key = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
           ), free_operation AS (
             SELECT id FROM operation WHERE id = ANY ($2) FOR NO KEY UPDATE SKIP LOCKED
           ), free_attempt AS (
             SELECT operation_id, number FROM attempt WHERE operation_id = ANY ($2)
                FOR NO KEY UPDATE SKIP LOCKED
           )
           SELECT key AS "lane?", NULL::uuid AS "operation?"
             FROM lane
            WHERE key = ANY ($1) AND key NOT IN (SELECT key FROM free_lane)
            UNION ALL
           SELECT NULL, id
             FROM operation
            WHERE id = ANY ($2) AND id NOT IN (SELECT id FROM free_operation)
            UNION ALL
           SELECT NULL, operation_id
             FROM attempt
            WHERE operation_id = ANY ($2)
              AND (operation_id, number) NOT IN (SELECT operation_id, number FROM free_attempt)"#,
        lanes,
        operations
    )
    .fetch_all(pool)
    .or_fail_to("look for locked rows")
    .await?;
    let mut locked = Locked::default();
    for row in rows {
        locked.lanes.extend(row.lane);
        locked.operations.extend(row.operation);
    }
    Ok(locked)
}

/// Passes all free rows of a batch together to `go_on`, and each locked row to `of_locked`. The results are in the
/// order of the batch.
pub(super) async fn leave_out<T, R, Fut: Future<Output = Vec<R>>>(
    batch: Vec<T>,
    is_locked: impl Fn(&T) -> bool,
    go_on: impl FnOnce(Vec<T>) -> Fut,
    of_locked: impl FnMut(T) -> R,
) -> Vec<R> {
    let flags: Vec<bool> = batch.iter().map(&is_locked).collect();
    let (locked, free): (Vec<T>, Vec<T>) = batch.into_iter().partition(is_locked);
    let done = if free.is_empty() {
        Vec::new()
    } else {
        go_on(free).await
    };
    let (mut locked, mut done) = (locked.into_iter().map(of_locked), done.into_iter());
    let results = flags.into_iter().filter_map(|is_locked| {
        if is_locked {
            locked.next()
        } else {
            done.next()
        }
    });
    results.collect()
}

#[cfg(test)]
mod tests {
    use super::leave_out;

    #[tokio::test]
    async fn results_are_in_the_order_of_the_rows() {
        let results = leave_out(
            vec![1, 2, 3, 4, 5],
            |row| row % 2 == 0,
            async |free| free.into_iter().map(|row| ("done", row)).collect(),
            |row| ("left out", row),
        );
        let expected = [
            ("done", 1),
            ("left out", 2),
            ("done", 3),
            ("left out", 4),
            ("done", 5),
        ];
        assert_eq!(results.await, expected);
    }
}
