//! The request budgets of the API keys. The gateway counts exactly, but does not need a query for each request.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    store::{Block, BlockRequest, Store, StoreError},
    telemetry::wall_clock,
};

/// The largest number of requests per minute for one key, for all gateways together (document 003).
pub(super) const LIMIT: i32 = 300;
/// The largest number of requests that all gateways together may have taken but not used yet: 5 % of the limit.
const SLACK: i32 = LIMIT / 20;
/// The length of the window in seconds. Each window begins at a full minute.
const WINDOW: i64 = 60;

const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What this gateway has taken from the budgets, by the name of the key. Cheap to clone.
#[derive(Clone, Default)]
pub struct Budgets(Arc<Mutex<Keys>>);

type Keys = HashMap<Arc<str>, Arc<tokio::sync::Mutex<Budget>>>;

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").finish_non_exhaustive()
    }
}

/// What this gateway has taken from the budget of one key: the last block, and the unused requests of this block.
#[derive(Debug, Default)]
struct Budget {
    block: Option<Block>,
    /// How many requests of the block have not been used yet.
    unspent: i32,
}

/// The remaining budget of a key in the current minute, for the headers of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    remaining: i32,
    /// When the minute ends, in seconds since 1970 (UTC).
    reset: i64,
    resets_in: Duration,
}

impl Budgets {
    /// Takes one request from the budget. Returns whether a request was left, and the remaining budget.
    pub(super) async fn spend(
        &self,
        store: &Store,
        key: &Arc<str>,
    ) -> Result<(bool, Allowance), StoreError> {
        let budget = {
            let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(keys.entry(Arc::clone(key)).or_default())
        };
        // Requests that arrive while a block is being fetched wait for the block and share it.
        let mut budget = budget.lock().await;
        let block = match budget.usable() {
            Some(block) => block,
            None => budget.refill(store, key).await?,
        };
        let is_let_in = budget.unspent > 0;
        budget.unspent -= i32::from(is_let_in);
        let allowance = Allowance {
            remaining: LIMIT - block.granted + budget.unspent,
            reset: WINDOW * (block.minute + 1),
            resets_in: block.ends_at.saturating_duration_since(Instant::now()),
        };
        Ok((is_let_in, allowance))
    }
}

impl Budget {
    /// The current block, if it belongs to this minute and is not used up. A used-up block is also returned if it was
    /// the last block of the minute, because another block would be empty.
    fn usable(&self) -> Option<Block> {
        let is_last = |block: &Block| block.granted >= LIMIT;
        self.block
            .filter(|block| block.ends_at > Instant::now())
            .filter(|block| self.unspent > 0 || is_last(block))
    }

    async fn refill(&mut self, store: &Store, key: &str) -> Result<Block, StoreError> {
        let asked = BlockRequest {
            limit: LIMIT,
            slack: SLACK,
            spent: self.block.map(|block| (block.minute, block.size)),
        };
        // If the caller disconnects while this request waits for its block, the next request fetches another block, and
        // this block remains unused.
        let block = store.take_block(key, asked).await?;
        self.block = Some(block);
        self.unspent = block.size;
        Ok(block)
    }
}

impl Allowance {
    /// An allowance with nothing left, for an unknown key or while the database cannot count requests.
    pub(super) fn none() -> Self {
        let now = wall_clock().timestamp();
        let resets_in = WINDOW - now.rem_euclid(WINDOW);
        Self {
            remaining: 0,
            reset: now + resets_in,
            resets_in: Duration::from_secs(resets_in.unsigned_abs()),
        }
    }

    /// Whole seconds until the minute ends, at least one.
    pub(super) fn seconds(&self) -> u16 {
        let seconds = self.resets_in.as_millis().div_ceil(1_000).max(1);
        u16::try_from(seconds).unwrap_or(u16::MAX)
    }

    /// Writes the three headers of document 003, and the two headers of the IETF draft
    /// (draft-ietf-httpapi-ratelimit-headers).
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let (remaining, seconds) = (self.remaining, self.seconds());
        headers.insert(X_LIMIT, LIMIT.into());
        headers.insert(X_REMAINING, remaining.into());
        headers.insert(X_RESET, self.reset.into());
        for (name, value) in [
            (POLICY, format!("\"transactions\";q={LIMIT};w={WINDOW}")),
            (
                RATE_LIMIT,
                format!("\"transactions\";r={remaining};t={seconds}"),
            ),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}
