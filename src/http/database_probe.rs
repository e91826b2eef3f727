//! What `/readyz` tells of the database. Anybody may ask, as often as they like, so the database is asked once at a time, and
//! its answer is kept for a moment.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    store::{Store, StoreError},
    telemetry::chain,
};

/// If the database takes longer than this to answer, it counts as unavailable.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_millis(250);

/// The last answer of the database, and when it came. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct DatabaseProbe(Arc<Mutex<Option<(Instant, DatabaseSeen)>>>);

/// How the database is.
#[derive(Clone, Debug)]
pub(super) struct DatabaseSeen {
    /// `ready`, `not_migrated` or `away`.
    pub(super) state: &'static str,
    /// Since when everything is on hold, if it is.
    pub(super) on_hold_since: Option<DateTime<Utc>>,
    /// The kinds of commands for which Fineract does not honour idempotency keys.
    pub(super) keys_not_honoured: Vec<String>,
}

impl DatabaseProbe {
    /// How the database is, or was a moment ago. Whoever asks while the database is being asked shares the answer.
    pub(super) async fn look(&self, store: &Store) -> DatabaseSeen {
        let mut kept = self.0.lock().await;
        if let Some((at, seen)) = &*kept
            && at.elapsed() < KEPT_FOR
        {
            return seen.clone();
        }
        let seen = DatabaseSeen::ask(store).await;
        *kept = Some((Instant::now(), seen.clone()));
        seen
    }
}

impl DatabaseSeen {
    async fn ask(store: &Store) -> Self {
        let state = state(store).await;
        if state != "ready" {
            return Self {
                state,
                on_hold_since: None,
                keys_not_honoured: Vec::new(),
            };
        }
        let hold = timeout(DATABASE_TIMEOUT, store.active_hold()).await;
        let keys = timeout(DATABASE_TIMEOUT, store.keys_not_honoured()).await;
        Self {
            state,
            on_hold_since: hold
                .ok()
                .and_then(Result::ok)
                .flatten()
                .map(|hold| hold.since),
            keys_not_honoured: keys.ok().and_then(Result::ok).unwrap_or_default(),
        }
    }
}

async fn state(store: &Store) -> &'static str {
    match timeout(DATABASE_TIMEOUT, store.check()).await {
        Ok(Ok(())) => "ready",
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(&error), "not ready: the database is unavailable or not migrated");
            if matches!(error, StoreError::Unknown { .. }) {
                "not_migrated"
            } else {
                "away"
            }
        }
        Err(_) => "away",
    }
}
