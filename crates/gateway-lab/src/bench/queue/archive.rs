//! Writes a large archive, and archives ended operations while something else is measured.

use std::time::Duration;

use anyhow::Context as _;
use fineract_gateway::store::{Pool, Retention, RetentionSettings};

use super::Queue;

/// The shortest time for which operations stay in the hot tables.
const HOT_FOR: Duration = Duration::from_hours(24);

impl Queue {
    /// Adds archived operations with the numbers from `first` to `last`, as retention would have archived them: on each
    /// loan five operations of different types, one in fifty failed, each with one attempt, and 10 s between two of them.
    /// 20,000,000 of them are older than those of [`fill_history`](Self::fill_history).
    pub(in crate::bench) async fn fill_archive(&self, first: i64, last: i64) -> anyhow::Result<()> {
        sqlx::query!(
            "SELECT make_archive_month(month::date)
               FROM generate_series(date_trunc('month', to_timestamp(1500000000 + $1::bigint * 10) AT TIME ZONE 'UTC'),
                                    to_timestamp(1500000000 + $2::bigint * 10) AT TIME ZONE 'UTC',
                                    interval '1 month') month",
            first,
            last
        )
        .execute(&self.pool)
        .await
        .context("make the months of the archive")?;
        sqlx::query!(
            "WITH row AS MATERIALIZED (
                 SELECT (lpad(to_hex(1500000000000 + n * 10000), 12, '0')
                         || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id,
                        'loan:a-' || (n / 5) AS lane, n % 5 + 1 AS position,
                        CASE WHEN n % 50 = 7 THEN 'failed' ELSE 'succeeded' END AS state,
                        to_timestamp(1500000000 + n * 10) AS at,
                        (ARRAY['LOAN_CREATE', 'LOAN_APPROVE', 'LOAN_DISBURSE', 'LOAN_REPAYMENT', 'LOAN_REPAYMENT'])[n % 5 + 1]
                            AS type, n
                   FROM generate_series($1::bigint, $2::bigint) n
             ), past AS (
                 INSERT INTO past_operation (id, type, state, caller, lane, position)
                 SELECT id, type, state, 'bench', lane, position FROM row
             ), used_up AS (
                 INSERT INTO past_reference (lane, reference, position, operation_id)
                 SELECT lane, plain_reference('UTR-' || n), position, id
                   FROM row
                  WHERE type = 'LOAN_REPAYMENT' AND state = 'succeeded'
             ), readers AS (
                 INSERT INTO past_read (read_lane, lane)
                 SELECT 'client:a-' || (n / 20), lane FROM row WHERE type = 'LOAN_CREATE' AND state = 'succeeded'
             ), lanes AS (
                 INSERT INTO lane (key, next_position, members, writers)
                 SELECT DISTINCT lane, 6, 0, 0 FROM row
                     ON CONFLICT DO NOTHING
             ), operations AS (
                 INSERT INTO archived_operation (id, type, state, lane, position, blocked_by, attempt, accepted_at, ended_at,
                                                 lender, read_lane, read_position)
                 SELECT id, type, state, lane, position, 0, 1, at, at + interval '1 s',
                        CASE n % 5 WHEN 0 THEN (ARRAY['UGRO', 'DMI', 'GB'])[n / 5 % 3 + 1] END,
                        CASE n % 5 WHEN 0 THEN 'client:a-' || (n / 20) END, CASE n % 5 WHEN 0 THEN n / 5 % 4 + 1 END
                   FROM row
             ), payloads AS (
                 INSERT INTO archived_payload (operation_id, caller, data, reference, lane)
                 SELECT id, 'bench', json_build_object('external_loan_id', lane),
                        CASE WHEN type = 'LOAN_REPAYMENT' THEN 'UTR-' || n END, lane
                   FROM row
             ), attempts AS (
                 INSERT INTO archived_attempt (operation_id, number, key_number, method, path, body, sent_at, answered_at,
                                               status, cached, answer)
                 SELECT id, 1, 1, 'POST', 'loans', '{}', at, at + interval '1 s',
                        CASE state WHEN 'failed' THEN 403 ELSE 200 END, false, '{}'
                   FROM row
             )
             INSERT INTO archived_result (operation_id, success, failure, code, message)
             SELECT id, CASE state WHEN 'succeeded' THEN '{}' END, CASE state WHEN 'failed' THEN '{}' END,
                    CASE state WHEN 'failed' THEN 'refused_' || (n / 50 % 10) END,
                    CASE state WHEN 'failed' THEN 'Fineract returned 403' END
               FROM row",
            first,
            last
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .context("fill the archive")
    }

    /// Lets operations be archived that ended more than a day ago, but by no gateway until tomorrow.
    pub(in crate::bench) async fn archive_by_hand(&self) -> anyhow::Result<()> {
        // As if the database had been migrated long ago.
        self.run("UPDATE _sqlx_migrations SET installed_on = installed_on - interval '1 day'")
            .await?;
        self.run("INSERT INTO retention (started_at, ended_at) VALUES (now(), now())")
            .await
    }

    /// Does this work while ended operations are archived. Returns what the work returns, and how many were archived.
    pub(in crate::bench) async fn while_archiving<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<(T, i64)> {
        let retention = Retention::new(Pool::from(self.pool.clone()));
        let settings = RetentionSettings {
            hot_for: HOT_FOR,
            kept_for: None,
        };
        let done = tokio::select! {
            done = work => done?,
            ended = retention.run(settings) => anyhow::bail!("the retention ended too early: {ended:?}"),
        };
        let archived = sqlx::query_scalar!("SELECT archived FROM retention")
            .fetch_one(&self.pool)
            .await
            .context("count the archived operations")?;
        // The next run need not wait until the time of this one is over.
        self.run("UPDATE retention SET run_until = NULL, ended_at = now()")
            .await?;
        Ok((done, archived))
    }
}
