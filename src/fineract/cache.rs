//! Keeps products, payment types and offices for a minute after they were read.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::domain::{Named, Product};

/// How long an entry is used. The gateway notices a change by the back office after this time at the latest.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// Products, payment types and offices, which change rarely.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) products: Kept<Product>,
    pub(super) payment_types: Kept<Named>,
    /// `None`: Fineract did not show the office, for example because the gateway's user may not read offices.
    pub(super) offices: Kept<Option<Named>>,
}

/// Objects of Fineract by name or number, as they were last read.
#[derive(Debug)]
pub(super) struct Kept<T> {
    by_name: HashMap<String, Reading<T>>,
    /// Entries that were requested at or before this time are no longer used.
    forgotten_until: Option<Instant>,
}

#[derive(Debug)]
struct Reading<T> {
    requested_at: Instant,
    object: T,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            forgotten_until: None,
        }
    }
}

impl<T: Clone> Kept<T> {
    /// The entry, if it was requested at most a minute ago and after the time of the last `forget_until`.
    pub(super) fn get(&self, name: &str, now: Instant) -> Option<T> {
        let reading = self.by_name.get(name)?;
        let is_fresh = now.saturating_duration_since(reading.requested_at) <= KEPT_FOR
            && self
                .forgotten_until
                .is_none_or(|until| reading.requested_at > until);
        is_fresh.then(|| reading.object.clone())
    }

    /// Stores an entry with the time of its request. If `forget_until` was called in the meantime with a later time,
    /// the entry is not used.
    pub(super) fn put(&mut self, name: &str, object: T, requested_at: Instant) {
        self.by_name.insert(
            name.to_owned(),
            Reading {
                requested_at,
                object,
            },
        );
    }

    /// Forgets every entry that was requested at or before this time.
    pub(super) fn forget_until(&mut self, until: Instant) {
        self.forgotten_until = self.forgotten_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_used_for_a_minute() {
        let requested_at = Instant::now();
        let mut kept = Kept::default();
        kept.put("DMI", 3, requested_at);
        for (seconds, expected) in [(0, Some(3)), (60, Some(3)), (61, None)] {
            let now = requested_at + Duration::from_secs(seconds);
            assert_eq!(kept.get("DMI", now), expected, "{seconds}");
        }
        assert_eq!(kept.get("dmi", requested_at), None);
    }

    #[test]
    fn an_entry_requested_before_a_forgotten_moment_is_not_used() {
        let requested_at = Instant::now();
        let later = requested_at + Duration::from_secs(1);
        let mut kept = Kept::default();
        kept.put("read before", 3, requested_at);
        kept.forget_until(requested_at);
        kept.put("answered late", 3, requested_at);
        kept.put("requested anew", 4, later);
        // Forgetting until an earlier time changes nothing.
        kept.forget_until(requested_at.checked_sub(Duration::from_secs(9)).unwrap());
        for (name, expected) in [
            ("read before", None),
            ("answered late", None),
            ("requested anew", Some(4)),
        ] {
            assert_eq!(kept.get(name, later), expected, "{name}");
        }
    }
}
