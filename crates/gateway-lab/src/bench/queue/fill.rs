//! Writes many operations into the database in one statement, with the rows that acceptance and completion would write.
//! The id of an operation is computed from its number.

use anyhow::Context as _;

use super::Queue;

const ACTION: &str = "fill the queue";

impl Queue {
    /// Adds operations that are due, each alone in its lane.
    pub(in crate::bench) async fn fill_due(&self, count: i64) -> anyhow::Result<()> {
        self.fill_waiting(count, false).await
    }

    /// Adds operations in one lane. The first is due; the others wait for it.
    pub(in crate::bench) async fn fill_lane(&self, count: i64) -> anyhow::Result<()> {
        self.fill_waiting(count, true).await
    }

    async fn fill_waiting(&self, count: i64, in_one_lane: bool) -> anyhow::Result<()> {
        sqlx::query!(
            "WITH row AS MATERIALIZED (
                 SELECT (lpad(to_hex(CASE WHEN $2 THEN 1700000000000 ELSE 1750000000000 END + n), 12, '0')
                         || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id,
                        CASE WHEN $2 THEN 'client:one' ELSE 'client:due-' || n END AS lane,
                        CASE WHEN $2 THEN n ELSE 1 END AS position,
                        NOT $2 OR n = 1 AS admitted
                   FROM generate_series(1, $1::bigint) n
             ), operations AS (
                 INSERT INTO operation (id, type, state, lane, position, blocked_by, due_at)
                 SELECT id, 'CLIENT_UPDATE', CASE WHEN admitted THEN 'ready' ELSE 'waiting' END,
                        lane, position, (NOT admitted)::int, CASE WHEN admitted THEN now() END
                   FROM row
             ), payloads AS (
                 INSERT INTO payload (operation_id, caller, data, lane)
                 SELECT id, 'bench', json_build_object('externalId', lane, 'firstname', 'Load'), lane FROM row
             ), lane_entries AS (
                 INSERT INTO lane_entry (lane, position, operation_id, writes, admitted)
                 SELECT lane, position, id, true, admitted FROM row
             )
             INSERT INTO lane (key, next_position, members, writers)
             SELECT lane, max(position) + 1, count(*), count(*) FROM row GROUP BY lane",
            count,
            in_one_lane,
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .context(ACTION)
    }

    /// Adds operations that have succeeded, with the numbers from `first` to `last`.
    pub(in crate::bench) async fn fill_ended(&self, first: i64, last: i64) -> anyhow::Result<()> {
        sqlx::query!(
            "WITH row AS MATERIALIZED (
                 SELECT (lpad(to_hex(1700000000000 + n), 12, '0')
                         || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id,
                        'C-' || md5(n::text) AS name, n
                   FROM generate_series($1::bigint, $2::bigint) n
             ), operations AS (
                 INSERT INTO operation (id, type, state, lane, position, blocked_by, attempt, ended_at)
                 SELECT id, 'CLIENT_CREATE', 'succeeded', 'client:' || lower(name), 1, 0, 1, now() FROM row
             ), payloads AS (
                 INSERT INTO payload (operation_id, caller, data, lane)
                 SELECT id, 'bench',
                        json_build_object('firstname', 'Load', 'lastname', 'Test', 'externalId', name,
                                          'activationDate', '01 January 2026'),
                        'client:' || lower(name)
                   FROM row
             ), lanes AS (
                 -- The lanes get no numbers of clients, because no Fineract has these clients.
                 INSERT INTO lane (key, next_position, members, writers)
                 SELECT 'client:' || lower(name), 2, 0, 0 FROM row
             )
             INSERT INTO result (operation_id, success)
             SELECT id, format('{\"officeId\":1,\"clientId\":%s,\"resourceId\":%s,\"resourceExternalId\":\"%s\"}', n, n, name)
               FROM row",
            first,
            last,
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .context(ACTION)
    }

    /// Puts on hold every operation that has not ended. Returns the number of these operations.
    pub(in crate::bench) async fn hold_all(&self) -> anyhow::Result<u64> {
        let put_on_hold =
            sqlx::query!("UPDATE operation SET on_hold = true WHERE ended_at IS NULL")
                .execute(&self.pool)
                .await
                .context("put operations on hold")?;
        Ok(put_on_hold.rows_affected())
    }

    /// Releases up to `count` operations. Returns the number of released operations.
    pub(in crate::bench) async fn release(&self, count: i64) -> anyhow::Result<u64> {
        let released = sqlx::query!(
            "UPDATE operation SET on_hold = false
              WHERE id IN (SELECT id FROM operation WHERE on_hold ORDER BY id LIMIT $1)",
            count
        )
        .execute(&self.pool)
        .await
        .context("release operations")?;
        Ok(released.rows_affected())
    }
}
