//! How often an API key may still be used this minute, over all gateways.

use std::time::{Duration, Instant};

use super::{Asking, Store, StoreError};

/// What a gateway asks for when it has used up what it had.
#[derive(Clone, Copy, Debug)]
pub struct BlockRequest {
    /// All that the gateways together may let in a minute.
    pub limit: i32,
    /// How much of it may lie unspent with gateways at once, at most.
    pub slack: i32,
    /// The last block, which is used up: its minute and size.
    pub spent: Option<(i64, i32)>,
}

/// A block of a minute's budget.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The minute, since 1970.
    pub minute: i64,
    /// Requests that may be let in; none when the budget is used up.
    pub size: i32,
    /// What all gateways, this one included, have taken of the minute's budget.
    pub granted: i32,
    /// When the minute ends, by the monotonic clock: rather too early than too late.
    pub ends_at: Instant,
}

impl Store {
    /// Takes a block of the running minute's budget for a key.
    ///
    /// A block is half of what may still lie unspent, at least one. Blocks of more than one therefore
    /// never sum up to more than the slack, however many gateways there are, and one request is let in
    /// with each at once: when the budget is used up, less than the slack is left unspent elsewhere.
    pub async fn take_block(&self, key: &str, asked: BlockRequest) -> Result<Block, StoreError> {
        let asked_at = Instant::now();
        let (spent_minute, spent) = asked.spent.unzip();
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
            asked.limit,
            asked.slack,
            spent_minute,
            spent,
        )
        .fetch_one(&self.pool)
        .or_fail_to("count the use of a key")
        .await?;
        let left = Duration::try_from_secs_f64(taken.seconds_left).unwrap_or_default();
        Ok(Block {
            minute: taken.minute,
            size: taken.block,
            granted: taken.granted,
            ends_at: asked_at + left,
        })
    }
}
