//! Attempts that Fineract answered with a failure inside, which says nothing of the effect.

use std::time::Duration;

use super::{History, reply_class::ReplyClass, trace::class};
use crate::domain::Attempt;

impl<'a> History<'a> {
    fn failures(&self) -> impl Iterator<Item = &'a Attempt> + use<'a> {
        self.attempts
            .iter()
            .filter(|attempt| class(attempt) == ReplyClass::Failed)
    }

    /// How many keys have ended in a failure that says nothing of the effect.
    pub fn keys_failed(&self) -> usize {
        let mut keys: Vec<i32> = self.failures().map(|attempt| attempt.key_number).collect();
        keys.dedup();
        keys.len()
    }

    /// How long ago the first attempt was sent that ended so.
    pub fn failing_for(&self) -> Duration {
        let ages = self.failures().map(|attempt| attempt.age);
        ages.max().unwrap_or_default()
    }
}
