//! The request budget of each API key: a number of requests per minute for all gateways together.

use std::time::{Duration, Instant};

use super::{Store, StoreError, patience::WithTimeout};

/// The request for a new block. A gateway makes this request after it has used up its last block.
#[derive(Clone, Copy, Debug)]
pub struct BlockRequest {
    /// How many requests all gateways together may admit in a minute.
    pub limit: i32,
    /// The largest number of requests that all gateways together may have taken but not used yet.
    pub slack: i32,
    /// The minute and the size of the last block, which is used up.
    pub spent: Option<(i64, i32)>,
}

/// A block of a minute's budget.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The minute, as the number of minutes since 1970.
    pub minute: i64,
    /// How many requests the block admits; 0 if the budget is used up.
    pub size: i32,
    /// How many requests of the minute's budget all gateways together have taken, including this block.
    pub granted: i32,
    /// When the minute ends, by the monotonic clock. The value may be a little too early, but not too late.
    pub ends_at: Instant,
}

impl Store {
    /// Takes a block of the current minute's budget for a key.
    ///
    /// The size of a block is half of the free slack, but at least 1. The free slack is the slack minus the requests
    /// that gateways have taken but not used yet. So all blocks larger than 1 together never exceed the slack,
    /// regardless of the number of gateways. Each block admits one request immediately. So when the budget is used up,
    /// the other gateways have fewer unused requests than the slack.
    pub async fn take_block(&self, key: &str, request: BlockRequest) -> Result<Block, StoreError> {
        let started_at = Instant::now();
        let (spent_minute, spent) = request.spent.unzip();
        let taken = sqlx::query!(
            r#"INSERT INTO api_key_usage AS u (key_name, minute, granted, unspent, block)
               SELECT $1, floor(EXTRACT(EPOCH FROM now()) / 60)::bigint, first.size, first.size, first.size
                 FROM (SELECT LEAST(GREATEST($3 / 2, 1), $2::int) AS size) first
                   ON CONFLICT (key_name) DO UPDATE
                  -- A request that has waited for the lock of the row may contain the number of the minute before.
                  SET (minute, granted, unspent, block) = (
                      SELECT GREATEST(u.minute, excluded.minute), before.granted + next.size,
                             before.unspent + next.size, next.size
                        FROM (SELECT CASE WHEN u.minute >= excluded.minute THEN u.granted ELSE 0 END AS granted,
                                     CASE WHEN u.minute < excluded.minute THEN 0
                                          WHEN u.minute = $4 THEN GREATEST(u.unspent - $5, 0)
                                          ELSE u.unspent END AS unspent) before
                       CROSS JOIN LATERAL (
                             SELECT LEAST(GREATEST(($3 - before.unspent) / 2, 1), $2 - before.granted) AS size) next)
               RETURNING minute, block, granted,
                         (60 * (minute + 1) - EXTRACT(EPOCH FROM clock_timestamp()))::float8 AS "seconds_left!""#,
            key,
            request.limit,
            request.slack,
            spent_minute,
            spent,
        )
        .fetch_one(&self.pool)
        .or_fail_to("take a block of an API key's budget")
        .await?;
        let left = Duration::try_from_secs_f64(taken.seconds_left).unwrap_or_default();
        Ok(Block {
            minute: taken.minute,
            size: taken.block,
            granted: taken.granted,
            ends_at: started_at + left,
        })
    }
}
