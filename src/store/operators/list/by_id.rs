//! The walks in the order of ids, newest first. The ids are UUIDs of version 7, so this is the order of acceptance.

use uuid::Uuid;

use super::walk::{ACTION, Range};
use crate::store::{Store, StoreError, patience::WithTimeout};

impl Store {
    /// The operations that write one of these lanes. Each lane is read for itself, because Postgres would otherwise read
    /// and sort all operations of all lanes.
    pub(super) async fn walk_lanes(
        &self,
        lanes: &[String],
        range: &Range,
        count: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT p.operation_id AS "id!"
                 FROM unnest($1::text[]) AS l (key)
                CROSS JOIN LATERAL (
                      SELECT operation_id FROM known_payload
                       WHERE lane = l.key AND operation_id >= $2 AND operation_id < $3
                       ORDER BY operation_id DESC
                       LIMIT $4) p
                ORDER BY p.operation_id DESC
                LIMIT $4"#,
            lanes,
            range.lowest,
            range.below,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    pub(super) async fn walk_failed_with(
        &self,
        code: &str,
        range: &Range,
        count: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT operation_id AS "id!" FROM known_result
                WHERE code = $1 AND operation_id >= $2 AND operation_id < $3
                ORDER BY operation_id DESC
                LIMIT $4"#,
            code,
            range.lowest,
            range.below,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    pub(super) async fn walk_lender(
        &self,
        lender: &str,
        range: &Range,
        count: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM known_operation
                WHERE lender = $1 AND id >= $2 AND id < $3
                ORDER BY id DESC
                LIMIT $4"#,
            lender,
            range.lowest,
            range.below,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    pub(super) async fn walk_caller(
        &self,
        caller: &str,
        range: &Range,
        count: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT operation_id AS "id!" FROM known_payload
                WHERE caller = $1 AND operation_id >= $2 AND operation_id < $3
                ORDER BY operation_id DESC
                LIMIT $4"#,
            caller,
            range.lowest,
            range.below,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    pub(super) async fn walk_open(
        &self,
        range: &Range,
        count: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query_scalar!(
            "SELECT operation_id FROM lane_entry
              WHERE writes AND operation_id >= $1 AND operation_id < $2
              ORDER BY operation_id DESC
              LIMIT $3",
            range.lowest,
            range.below,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    pub(super) async fn walk_all(
        &self,
        range: &Range,
        count: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT id AS "id!" FROM known_operation
                WHERE id >= $1 AND id < $2
                ORDER BY id DESC
                LIMIT $3"#,
            range.lowest,
            range.below,
            count
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }
}
