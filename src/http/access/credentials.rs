//! The credentials of the database, in the memory of this process.
//!
//! Each process has all of them, so a wrong id needs no statement either. It looks several times a second whether they
//! have changed, and reads them again if so. While the database is unavailable, the process goes on with those that it
//! knows. Whether one has expired is decided by the time of Postgres: the process's own clock may be wrong, so only its
//! monotonic clock is used, to count on from the last time that Postgres told.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio::{sync::watch, time::sleep};
use uuid::Uuid;

use super::{entry::Entry, refusal::Why};
use crate::{
    store::{CredentialTable, StoreError},
    telemetry::chain,
};

/// The pause between two looks for changes. Every gateway must hear of a change within a second.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a copy is used without a change. After this time it is read again, in case the database was restored.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// The pause between two records of which credentials were used.
const USES_PAUSE: Duration = Duration::from_mins(1);

/// The credentials that this process knows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Credentials(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    known: watch::Sender<Option<Known>>,
    /// When Postgres told its time, and the time.
    clock: Mutex<(Instant, DateTime<Utc>)>,
}

/// A copy of the credentials.
#[derive(Debug)]
pub(super) struct Known {
    number: i64,
    read_at: Instant,
    pub(super) by_id: HashMap<Uuid, Arc<Entry>>,
}

impl Default for Credentials {
    /// No credentials, until they are read.
    fn default() -> Self {
        Self(Arc::new(Shared {
            known: watch::Sender::new(None),
            clock: Mutex::new((Instant::now(), DateTime::<Utc>::MAX_UTC)),
        }))
    }
}

impl Credentials {
    /// Reads the credentials. If that fails, they are read later, and until then requests with one are answered 503.
    pub async fn start(table: &CredentialTable) -> Self {
        let credentials = Self::default();
        if let Err(error) = credentials.refresh(table).await {
            tracing::warn!(error = %chain(&error), "credentials cannot be read yet; trying again");
        }
        credentials
    }

    /// Hears of changes, and records which credentials are used, until it is dropped.
    pub async fn watch(self, table: CredentialTable) {
        tokio::join!(self.hear(&table), self.record_uses(&table));
    }

    async fn hear(&self, table: &CredentialTable) {
        let mut has_failed = false;
        loop {
            sleep(PAUSE).await;
            match self.refresh(table).await {
                Ok(()) => has_failed = false,
                Err(error) if !has_failed => {
                    has_failed = true;
                    tracing::warn!(error = %chain(&error), "changes of credentials cannot be read; going on with those that are known");
                }
                Err(_) => {}
            }
        }
    }

    /// Hears of a change at once, if the database answers. The gateway that makes a change calls it.
    pub(in crate::http) async fn hear_now(&self, table: &CredentialTable) {
        if let Err(error) = self.refresh(table).await {
            tracing::debug!(error = %chain(&error), "a change of credentials is heard of later");
        }
    }

    async fn refresh(&self, table: &CredentialTable) -> Result<(), StoreError> {
        let asked_at = Instant::now();
        let changes = table.changes().await?;
        *self.lock_clock() = (asked_at, changes.now);
        let is_current =
            |known: &Known| known.number == changes.number && known.read_at.elapsed() < KEPT_FOR;
        if self.0.known.borrow().as_ref().is_some_and(is_current) {
            return Ok(());
        }
        let read = table.all().await?;
        self.0.known.send_if_modified(|known| {
            // Another look began later and ended earlier.
            if known.as_ref().is_some_and(|known| known.read_at > asked_at) {
                return false;
            }
            let usage = |id: &Uuid| {
                let before = known.as_ref().and_then(|known| known.by_id.get(id));
                before.map_or_else(Arc::default, |entry| Arc::clone(&entry.usage))
            };
            let entries = read.into_iter().map(|credential| {
                let entry = Entry {
                    name: credential.settings.name.as_str().into(),
                    usage: usage(&credential.id),
                    credential,
                };
                (entry.credential.id, Arc::new(entry))
            });
            let by_id = entries.collect();
            *known = Some(Known {
                number: changes.number,
                read_at: asked_at,
                by_id,
            });
            true
        });
        Ok(())
    }

    async fn record_uses(&self, table: &CredentialTable) {
        loop {
            sleep(USES_PAUSE).await;
            let used = self.used();
            if used.is_empty() {
                continue;
            }
            if let Err(error) = table.record_uses(used.clone()).await {
                tracing::debug!(error = %chain(&error), "the use of credentials cannot be recorded; trying again");
                self.note_again(&used);
            }
        }
    }

    /// The credentials that were used since the last call.
    fn used(&self) -> Vec<Uuid> {
        let known = self.0.known.borrow();
        let entries = known.iter().flat_map(|known| &known.by_id);
        let used = entries.filter(|(_, entry)| entry.usage.take());
        used.map(|(id, _)| *id).collect()
    }

    fn note_again(&self, used: &[Uuid]) {
        for entry in used.iter().filter_map(|id| self.find(*id).ok()?) {
            entry.usage.note();
        }
    }

    /// The credential with this id. An error if they have not been read yet.
    pub(super) fn find(&self, id: Uuid) -> Result<Option<Arc<Entry>>, Why> {
        let known = self.0.known.borrow();
        let known = known.as_ref().ok_or(Why::NotRead)?;
        Ok(known.by_id.get(&id).cloned())
    }

    /// The credentials of which this is true. An error if they have not been read yet.
    pub(super) fn all(&self, is_it: impl Fn(&Entry) -> bool) -> Result<Vec<Arc<Entry>>, Why> {
        let known = self.0.known.borrow();
        let entries = known.as_ref().ok_or(Why::NotRead)?.by_id.values();
        Ok(entries.filter(|entry| is_it(entry)).cloned().collect())
    }

    /// The time of Postgres.
    pub(in crate::http) fn now(&self) -> DateTime<Utc> {
        let (told_at, time) = *self.lock_clock();
        time.checked_add_signed(chrono::TimeDelta::from_std(told_at.elapsed()).unwrap_or_default())
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Changes of the credentials.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Known>> {
        self.0.known.subscribe()
    }

    fn lock_clock(&self) -> std::sync::MutexGuard<'_, (Instant, DateTime<Utc>)> {
        self.0.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
