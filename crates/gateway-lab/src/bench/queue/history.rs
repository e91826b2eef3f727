//! Writes a long history of ended operations for the operators' lists.

use anyhow::Context as _;

use super::Queue;

impl Queue {
    /// Adds an event of the caller `los` for each operation of [`fill_history`](Self::fill_history) with a number from
    /// `first` to `last`. The events have just happened.
    pub(in crate::bench) async fn fill_events(&self, first: i64, last: i64) -> anyhow::Result<()> {
        sqlx::query!(
            "WITH base AS (SELECT (EXTRACT(EPOCH FROM now()) * 1000000)::bigint - 10000000 AS number
             ), told AS (
                 INSERT INTO event (number, type, owner, operation_id, at)
                 SELECT base.number + n, 'operation.' || o.state, 'token:los', o.id, now()
                   FROM base, generate_series($1::bigint, $2::bigint) n
                   JOIN operation o ON o.id = (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3)
                                               || '8' || substr(md5(n::text), 4, 15))::uuid
              RETURNING number
             )
             UPDATE event_sequence SET last = greatest(last, (SELECT max(number) FROM told))",
            first,
            last
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .context("fill the events")
    }

    /// Adds ended operations with the numbers from `first` to `last`, in the order of their acceptance: on each loan five
    /// operations of different types, from two callers, one in fifty failed with one of ten codes, repayments with a UTR.
    pub(in crate::bench) async fn fill_history(&self, first: i64, last: i64) -> anyhow::Result<()> {
        sqlx::query!(
            "WITH row AS MATERIALIZED (
                 SELECT (lpad(to_hex(1700000000000 + n), 12, '0')
                         || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id,
                        'loan:l-' || (n / 5) AS lane, n % 5 + 1 AS position, n % 50 = 7 AS is_failed,
                        to_timestamp((1700000000000 + n) / 1000.0) AS at,
                        (ARRAY['LOAN_CREATE', 'LOAN_APPROVE', 'LOAN_DISBURSE', 'LOAN_REPAYMENT', 'LOAN_REPAYMENT'])[n % 5 + 1]
                            AS type, n
                   FROM generate_series($1::bigint, $2::bigint) n
             ), operations AS (
                 INSERT INTO operation (id, type, state, lane, position, blocked_by, attempt, accepted_at, ended_at, lender,
                                        read_lane, read_position)
                 SELECT id, type, CASE WHEN is_failed THEN 'failed' ELSE 'succeeded' END, lane, position, 0, 1, at,
                        at + interval '1 s', CASE n % 5 WHEN 0 THEN (ARRAY['UGRO', 'DMI', 'GB'])[n / 5 % 3 + 1] END,
                        CASE n % 5 WHEN 0 THEN 'client:c-' || (n / 20) END, CASE n % 5 WHEN 0 THEN n / 5 % 4 + 1 END
                   FROM row
             ), payloads AS (
                 INSERT INTO payload (operation_id, caller, data, reference, lane)
                 SELECT id, CASE n % 10 WHEN 3 THEN 'lms' ELSE 'bench' END, json_build_object('external_loan_id', lane),
                        CASE WHEN type = 'LOAN_REPAYMENT' THEN 'UTR-' || n END, lane
                   FROM row
             ), lanes AS (
                 INSERT INTO lane (key, next_position, members, writers)
                 SELECT DISTINCT lane, 6, 0, 0 FROM row
                     ON CONFLICT DO NOTHING
             )
             INSERT INTO result (operation_id, success, failure, code, message)
             SELECT id, CASE WHEN NOT is_failed THEN '{}' END, CASE WHEN is_failed THEN '{}' END,
                    CASE WHEN is_failed THEN 'refused_' || (n / 50 % 10) END,
                    CASE WHEN is_failed THEN 'Fineract returned 403' END
               FROM row",
            first,
            last,
        )
        .execute(&self.pool)
        .await
        .map(drop)
        .context("fill the history")
    }
}
