//! What is read from Fineract once and used again for a minute.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::domain::{Named, Product};

/// How long something that was read is used. A change in the back office takes effect after that time.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// Products, payment types and offices, which hardly ever change.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) products: Kept<Product>,
    pub(super) payment_types: Kept<Named>,
    pub(super) offices: Kept<Named>,
}

/// Objects of Fineract by name, as they were read.
#[derive(Debug)]
pub(super) struct Kept<T> {
    by_name: HashMap<String, Reading<T>>,
    /// Nothing that was requested up to this time is used any more.
    forgotten_until: Option<Instant>,
}

#[derive(Debug)]
struct Reading<T> {
    asked_at: Instant,
    thing: T,
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
    /// The thing, if it was asked for at most a minute ago, and after all that was to be forgotten.
    pub(super) fn get(&self, name: &str, now: Instant) -> Option<T> {
        let reading = self.by_name.get(name)?;
        let is_fresh = now.saturating_duration_since(reading.asked_at) <= KEPT_FOR
            && self
                .forgotten_until
                .is_none_or(|until| reading.asked_at > until);
        is_fresh.then(|| reading.thing.clone())
    }

    /// Keeps what was asked for then: the answer may come after it was to be forgotten.
    pub(super) fn put(&mut self, name: &str, thing: T, asked_at: Instant) {
        self.by_name
            .insert(name.to_owned(), Reading { asked_at, thing });
    }

    /// Forgets what was asked for up to then.
    pub(super) fn forget_until(&mut self, until: Instant) {
        self.forgotten_until = self.forgotten_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_used_for_a_minute() {
        let asked_at = Instant::now();
        let mut kept = Kept::default();
        kept.put("DMI", 3, asked_at);
        for (seconds, expected) in [(0, Some(3)), (60, Some(3)), (61, None)] {
            let now = asked_at + Duration::from_secs(seconds);
            assert_eq!(kept.get("DMI", now), expected, "{seconds}");
        }
        assert_eq!(kept.get("dmi", asked_at), None);
    }

    #[test]
    fn what_was_asked_for_before_all_was_forgotten_is_not_used() {
        let asked_at = Instant::now();
        let later = asked_at + Duration::from_secs(1);
        let mut kept = Kept::default();
        kept.put("read", 3, asked_at);
        kept.forget_until(asked_at);
        kept.put("answered late", 3, asked_at);
        kept.put("asked anew", 4, later);
        // An older moment takes nothing back.
        kept.forget_until(asked_at.checked_sub(Duration::from_secs(9)).unwrap());
        for (name, expected) in [
            ("read", None),
            ("answered late", None),
            ("asked anew", Some(4)),
        ] {
            assert_eq!(kept.get(name, later), expected, "{name}");
        }
    }
}
