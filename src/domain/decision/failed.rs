//! Attempts that ended in an internal error of Fineract, which does not show whether there was an effect.

use std::time::Duration;

use super::{History, key_state::reply_class, reply_class::ReplyClass};
use crate::domain::Attempt;

impl<'a> History<'a> {
    fn failures(&self) -> impl Iterator<Item = &'a Attempt> + use<'a> {
        self.attempts
            .iter()
            .filter(|attempt| reply_class(attempt) == ReplyClass::Failed)
    }

    /// The number of keys that ended in an internal error.
    pub fn keys_failed(&self) -> usize {
        let mut keys: Vec<i32> = self.failures().map(|attempt| attempt.key_number).collect();
        keys.dedup();
        keys.len()
    }

    /// The time since the gateway sent the first attempt that ended in an internal error.
    pub fn failing_for(&self) -> Duration {
        let ages = self.failures().map(|attempt| attempt.age);
        ages.max().unwrap_or_default()
    }
}
