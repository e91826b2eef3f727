//! A credential in the memory of this process.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq as _;

use super::refusal::Why;
use crate::store::{Credential, Digest};

/// The period for which a rate counts. It begins with a request.
const PERIOD: Duration = Duration::from_mins(1);

/// A credential, and its use in this process.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) credential: Credential,
    pub(super) name: Arc<str>,
    pub(super) usage: Arc<Usage>,
}

/// The use of a credential. It outlives a change of the credential.
#[derive(Debug, Default)]
pub(super) struct Usage {
    is_new: AtomicBool,
    /// The beginning of the current period, and the number of its requests.
    period: Mutex<Option<(Instant, i32)>>,
}

impl Usage {
    /// Notes that the credential was used.
    pub(super) fn note(&self) {
        // Most requests find it noted. A read does not disturb the other processors.
        if !self.is_new.load(Ordering::Relaxed) {
            self.is_new.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the credential was used since the last call.
    pub(super) fn take(&self) -> bool {
        self.is_new.swap(false, Ordering::Relaxed)
    }

    /// Counts a request. The error: how long the next one has to wait.
    fn count(&self, rate: i32, now: Instant) -> Result<(), Duration> {
        let mut period = self.period.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = match *period {
            Some((since, count)) if now.saturating_duration_since(since) < PERIOD => (since, count),
            _ => (now, 0),
        };
        if count >= rate {
            return Err(PERIOD.saturating_sub(now.saturating_duration_since(since)));
        }
        *period = Some((since, count + 1));
        Ok(())
    }
}

impl Entry {
    /// Finds the secret that is recognised, among all of them. An error if the credential does not permit anything now.
    pub(super) fn recognise(
        &self,
        is_it: impl Fn(&Digest) -> bool,
        now: DateTime<Utc>,
    ) -> Result<Digest, Why> {
        let mut secrets = self.credential.secrets.iter();
        let secret = secrets.find(|secret| is_it(&secret.digest));
        let secret = secret.ok_or(Why::WrongSecret)?;
        if self.credential.revoked.is_some() {
            return Err(Why::Revoked);
        }
        let ends = [secret.valid_until, self.credential.settings.expires_at];
        if ends.into_iter().flatten().any(|end| end <= now) {
            return Err(Why::Expired);
        }
        Ok(secret.digest)
    }

    /// As [`Entry::recognise`], for a secret that was sent.
    pub(super) fn recognise_digest(
        &self,
        digest: &Digest,
        now: DateTime<Utc>,
    ) -> Result<Digest, Why> {
        self.recognise(|known| known.ct_eq(digest).into(), now)
    }

    /// When the credential or this secret ends, if that is known.
    pub(super) fn end(&self, digest: &Digest) -> Option<DateTime<Utc>> {
        let secret = self.credential.secrets.iter();
        let mut secret = secret.filter(|secret| secret.digest == *digest);
        let valid_until = secret.next().and_then(|secret| secret.valid_until);
        let ends = [valid_until, self.credential.settings.expires_at];
        ends.into_iter().flatten().min()
    }

    /// Checks the address of a request, counts the request against the rate, and notes that the credential was used.
    pub(super) fn admit(&self, peer: Option<IpAddr>, now: Instant) -> Result<(), Why> {
        self.check_address(peer)?;
        self.check_rate(now)?;
        self.usage.note();
        Ok(())
    }

    /// A credential that is bound to addresses cannot be used from an unknown one.
    fn check_address(&self, peer: Option<IpAddr>) -> Result<(), Why> {
        let Some(networks) = &self.credential.settings.addresses else {
            return Ok(());
        };
        let peer = peer.map(|peer| peer.to_canonical());
        let is_in = |peer: IpAddr| networks.iter().any(|network| network.contains(&peer));
        if peer.is_some_and(is_in) {
            Ok(())
        } else {
            Err(Why::Address)
        }
    }

    fn check_rate(&self, now: Instant) -> Result<(), Why> {
        let rate = self.credential.settings.rate;
        rate.map_or(Ok(()), |rate| self.usage.count(rate, now))
            .map_err(Why::Rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_for_a_minute() {
        let usage = Usage::default();
        let start = Instant::now();
        assert_eq!(usage.count(2, start), Ok(()));
        let later = start + Duration::from_secs(50);
        assert_eq!(usage.count(2, later), Ok(()));
        assert_eq!(usage.count(2, later), Err(Duration::from_secs(10)));
        assert_eq!(usage.count(2, start + PERIOD), Ok(()));
    }
}
