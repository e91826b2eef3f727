//! The request budget of each API key, per minute and over all gateways.

use std::time::{Duration, Instant};

use super::{Store, StoreError, patience::WithTimeout};

/// What a gateway asks for after it has used up its last block.
#[derive(Clone, Copy, Debug)]
pub struct BlockRequest {
    /// How many requests all gateways together may admit in a minute.
    pub limit: i32,
    /// How many requests all gateways together may have taken without having used them, at most.
    pub slack: i32,
    /// The minute and the size of the last block, which is used up.
    pub spent: Option<(i64, i32)>,
}

/// A block of a minute's budget.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The minute, counted since 1970.
    pub minute: i64,
    /// How many requests the block admits; 0 if the budget is used up.
    pub size: i32,
    /// How many requests all gateways, including this one, have taken of the minute's budget.
    pub granted: i32,
    /// When the minute ends, by the monotonic clock; rather too early than too late.
    pub ends_at: Instant,
}

impl Store {
    /// Takes a block of the current minute's budget for a key.
    ///
    /// A block is half of what may still be taken without being used, but at least 1. Blocks larger than 1 therefore
    /// never add up to more than the slack, however many gateways there are, and each block admits one request
    /// immediately. So when the budget is used up, less than the slack is left unused in other gateways.
    pub async fn take_block(&self, key: &str, request: BlockRequest) -> Result<Block, StoreError> {
        let started_at = Instant::now();
        let (spent_minute, spent) = request.spent.unzip();
        let taken = sqlx::query!(
            r#"INSERT INTO api_key_usage AS u (key_name, minute, granted, unspent, block)
               SELECT $1, floor(EXTRACT(EPOCH FROM now()) / 60)::bigint, first.size, first.size, first.size
                 FROM (SELECT LEAST(GREATEST($3 / 2, 1), $2::int) AS size) first
                   ON CONFLICT (key_name) DO UPDATE
                  -- Who has waited for the row may come with the minute before.
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
