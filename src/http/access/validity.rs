//! Whether the credential of a request is still valid, for requests that take long.

use std::future::pending;

use tokio::time::sleep;
use uuid::Uuid;

use super::Credentials;
use crate::store::Digest;

/// The credential of a request, as long as the request takes.
#[derive(Clone, Debug)]
pub(in crate::http) struct Validity {
    credentials: Credentials,
    /// The credential and its secret; `None`: it is from the settings, which do not change.
    used: Option<(Uuid, Digest)>,
}

impl Validity {
    /// Of a credential of the settings.
    pub(super) fn of_settings(credentials: &Credentials) -> Self {
        Self {
            credentials: credentials.clone(),
            used: None,
        }
    }

    /// Of a credential of the database.
    pub(super) fn of(credentials: &Credentials, id: Uuid, digest: Digest) -> Self {
        Self {
            credentials: credentials.clone(),
            used: Some((id, digest)),
        }
    }

    /// Whether the credential still permits what it permitted at the beginning of the request.
    pub(in crate::http) fn is_over(&self) -> bool {
        let Some((id, digest)) = &self.used else {
            return false;
        };
        let found = self.credentials.find(*id).ok().flatten();
        found.is_none_or(|entry| {
            let now = self.credentials.now();
            entry.recognise_digest(digest, now).is_err()
        })
    }

    /// Waits until the credential is revoked or has expired.
    pub(in crate::http) async fn over(&self) {
        let mut news = self.credentials.subscribe();
        loop {
            // Before the look, so that no change between the two is missed.
            news.mark_unchanged();
            if self.is_over() {
                return;
            }
            tokio::select! {
                changed = news.changed() => {
                    if changed.is_err() {
                        // This does not happen, because this value has the sender too.
                        pending::<()>().await;
                    }
                }
                () = self.end() => {}
            }
        }
    }

    /// Waits until the time at which the credential ends, if it ends.
    async fn end(&self) {
        let end = self.used.as_ref().and_then(|(id, digest)| {
            let entry = self.credentials.find(*id).ok().flatten()?;
            entry.end(digest)
        });
        match end {
            Some(end) => {
                let left = end - self.credentials.now();
                sleep(left.to_std().unwrap_or_default()).await;
            }
            None => pending().await,
        }
    }
}
