//! `Prefer: wait=N` (RFC 7240): for how many seconds an answer may be delayed until the operation ends.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{access::Validity, state::ApiState};
use crate::{
    domain::{Owner, TrackingId},
    store::{StoreError, Tracked},
};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The longest wait. Proxies commonly time out after 60 s. After such a timeout, the caller would not know the tracking
/// id.
const LONGEST_WAIT_SECONDS: u64 = 50;
/// For how long a wait continues while the database is unavailable. Most restarts of a database take less time.
const LONGEST_OUTAGE: Duration = Duration::from_secs(5);
/// The pause between a read that failed and the next one.
const PAUSE: Duration = Duration::from_millis(250);

/// The wait in seconds that the caller asks for, if any.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait(Option<u64>);

impl Wait {
    /// Whether the caller asks for a wait.
    pub(super) fn is_wanted(self) -> bool {
        self.0.is_some()
    }

    /// Waits until the operation has ended, the time has passed, the process shuts down or the credential of the request
    /// is no longer valid, and returns the last state that was read. Each notification of the operation's end triggers
    /// another read. `None` if there is no such operation, or if it is of another owner than `only`. An error if the
    /// database has been unavailable for 5 s, or for the whole wait.
    pub(super) async fn track(
        self,
        api: &ApiState,
        tracking_id: TrackingId,
        only: Option<&Owner>,
        validity: &Validity,
    ) -> Result<Option<Tracked>, StoreError> {
        let read = || api.store.track(tracking_id, only);
        let Some(seconds) = self.0 else {
            return read().await;
        };
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let mut waiter = api.store.notifier().wait_for(tracking_id.id);
        let mut time_is_up = false;
        loop {
            let tracked = read_patiently(api, read, deadline).await?;
            if time_is_up
                || tracked
                    .as_ref()
                    .is_none_or(|tracked| tracked.state.is_end())
            {
                return Ok(tracked);
            }
            // After the time has passed, the loop reads once more, because the notification of the end may have been
            // lost.
            time_is_up = tokio::select! {
                () = waiter.ended() => false,
                () = sleep_until(deadline) => true,
                () = api.draining.cancelled() => true,
                () = validity.over() => return Ok(tracked),
            };
        }
    }

    /// The header that states which wait was applied.
    pub(super) fn applied(self) -> Option<(HeaderName, HeaderValue)> {
        let value = HeaderValue::try_from(format!("wait={}", self.0?)).ok()?;
        Some((PREFERENCE_APPLIED, value))
    }

    /// Reads the headers of a request.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let preferences = headers
            .get_all(PREFER)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        // Other preferences are ignored. If there are several `wait` preferences, the first one counts (RFC 7240
        // section 2).
        let seconds = preferences
            .filter_map(|preference| preference.split(';').next()?.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
            .and_then(|(_, value)| value.trim().trim_matches('"').parse::<u64>().ok());
        Self(seconds.map(|seconds| seconds.min(LONGEST_WAIT_SECONDS)))
    }
}

/// Reads an operation, and repeats the read for up to 5 s while the database is unavailable, but not after the
/// deadline.
async fn read_patiently<F>(
    api: &ApiState,
    track: impl Fn() -> F,
    deadline: Instant,
) -> Result<Option<Tracked>, StoreError>
where
    F: Future<Output = Result<Option<Tracked>, StoreError>>,
{
    let patient_until = deadline.min(Instant::now() + LONGEST_OUTAGE);
    let mut read = track().await;
    while let Err(error) = read {
        let pause_until = Instant::now() + PAUSE;
        if pause_until >= patient_until || api.draining.is_cancelled() {
            return Err(error);
        }
        tokio::select! {
            () = sleep_until(pause_until) => {}
            () = api.draining.cancelled() => {}
        }
        let reading = timeout_at(patient_until, track());
        read = reading.await.unwrap_or(Err(error));
    }
    read
}

impl FromRequestParts<Arc<ApiState>> for Wait {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &Arc<ApiState>,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self::read(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wait_counts_and_is_capped() {
        for (values, expected) in [
            (&[][..], None),
            (&["wait=25"], Some(25)),
            (&["wait=0"], Some(0)),
            (&["wait=50"], Some(50)),
            (&["wait=51"], Some(50)),
            (&["wait=18446744073709551615"], Some(50)),
            (&["respond-async, Wait = \"10\"; foo=bar"], Some(10)),
            (&["respond-async", "wait=3"], Some(3)),
            (&["wait=3, wait=4"], Some(3)),
            (&["wait"], None),
            (&["wait=soon"], None),
            (&["wait=-1"], None),
            (&["await=5"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PREFER, HeaderValue::from_static(value));
            }
            assert_eq!(Wait::read(&headers).0, expected, "{values:?}");
        }
    }
}
