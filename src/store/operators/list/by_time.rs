//! The walks in the order of a time, and the walk along the rows of a batch.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    ListCursor,
    walk::{ACTION, Range},
};
use crate::store::{Store, StoreError, patience::WithTimeout};

/// An operation with the time that determines its rank.
struct Timed {
    at: DateTime<Utc>,
    id: Uuid,
}

fn cursors(rows: Vec<Timed>) -> Vec<ListCursor> {
    let cursor = |Timed { at, id }| ListCursor::by_time(at, id);
    rows.into_iter().map(cursor).collect()
}

impl Store {
    pub(super) async fn walk_parked(
        &self,
        range: &Range,
        count: i64,
    ) -> Result<Vec<ListCursor>, StoreError> {
        sqlx::query_as!(
            Timed,
            r#"SELECT reason_since AS "at!", id FROM operation
                WHERE state = 'parked'
                  AND (reason_since, id) > (COALESCE($1, '-infinity'::timestamptz),
                                            COALESCE($2, '00000000-0000-0000-0000-000000000000'::uuid))
                ORDER BY reason_since, id
                LIMIT $3"#,
            range.time(),
            range.id(),
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
        .map(cursors)
    }

    pub(super) async fn walk_on_hold(
        &self,
        range: &Range,
        count: i64,
    ) -> Result<Vec<ListCursor>, StoreError> {
        sqlx::query_as!(
            Timed,
            r#"SELECT accepted_at AS at, id FROM operation
                WHERE on_hold AND ended_at IS NULL
                  AND (accepted_at, id) > (COALESCE($1, '-infinity'::timestamptz),
                                           COALESCE($2, '00000000-0000-0000-0000-000000000000'::uuid))
                  AND accepted_at >= COALESCE($3, '-infinity'::timestamptz)
                ORDER BY accepted_at, id
                LIMIT $4"#,
            range.time(),
            range.id(),
            range.accepted_after,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
        .map(cursors)
    }

    pub(super) async fn walk_failed(
        &self,
        range: &Range,
        count: i64,
    ) -> Result<Vec<ListCursor>, StoreError> {
        sqlx::query_as!(
            Timed,
            r#"SELECT ended_at AS "at!", id AS "id!" FROM known_operation
                WHERE state = 'failed'
                  AND (ended_at, id) < (COALESCE($1, 'infinity'::timestamptz),
                                        COALESCE($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
                  AND ended_at >= COALESCE($3, '-infinity'::timestamptz)
                  AND ended_at < COALESCE($4, 'infinity'::timestamptz)
                ORDER BY ended_at DESC, id DESC
                LIMIT $5"#,
            range.time(),
            range.id(),
            range.ended_after,
            range.ended_before,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
        .map(cursors)
    }

    pub(super) async fn walk_ended(
        &self,
        range: &Range,
        count: i64,
    ) -> Result<Vec<ListCursor>, StoreError> {
        sqlx::query_as!(
            Timed,
            r#"SELECT ended_at AS "at!", id AS "id!" FROM known_operation
                WHERE ended_at IS NOT NULL
                  AND (ended_at, id) < (COALESCE($1, 'infinity'::timestamptz),
                                        COALESCE($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
                  AND ended_at >= COALESCE($3, '-infinity'::timestamptz)
                  AND ended_at < COALESCE($4, 'infinity'::timestamptz)
                ORDER BY ended_at DESC, id DESC
                LIMIT $5"#,
            range.time(),
            range.id(),
            range.ended_after,
            range.ended_before,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
        .map(cursors)
    }

    pub(super) async fn walk_batch(
        &self,
        batch: Uuid,
        range: &Range,
        count: i64,
    ) -> Result<Vec<ListCursor>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT number, operation_id AS "operation_id!" FROM batch_row
                WHERE batch_id = $1 AND number > $2 AND operation_id IS NOT NULL
                ORDER BY number
                LIMIT $3"#,
            batch,
            range.row(),
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let cursor = |row: (i32, Uuid)| ListCursor {
            rank: row.0.into(),
            id: row.1,
        };
        let rows = rows.into_iter().map(|row| (row.number, row.operation_id));
        Ok(rows.map(cursor).collect())
    }
}
