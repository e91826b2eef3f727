//! How much of the traffic may be retries: when all that is sent is sent again, sending more helps
//! nobody. Pure.

use std::time::{Duration, Instant};

/// What a retry costs; what is sent for the first time earns 1: retries are at most a fifth on top.
const COST: u32 = 5;
/// Time earns as well, so that what has failed is tried again when nothing else is sent: 5 retries a second.
const EARNS_EVERY: Duration = Duration::from_millis(1000 / (5 * COST) as u64);
/// The most that can be saved: 20 retries at once.
const MOST: u32 = 20 * COST;

/// The retries that this process may send now.
#[derive(Debug)]
pub(super) struct RetryBudget {
    credit: u32,
    earned_until: Instant,
}

impl RetryBudget {
    /// A full budget.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            credit: MOST,
            earned_until: now,
        }
    }

    /// Something is sent for the first time.
    pub(super) fn earn(&mut self) {
        self.credit = MOST.min(self.credit + 1);
    }

    /// Whether a retry may be sent now; it is paid for then.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        self.earn_by_time(now);
        let left = self.credit.checked_sub(COST);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }

    fn earn_by_time(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.earned_until);
        let earned = u32::try_from(passed.as_millis() / EARNS_EVERY.as_millis()).unwrap_or(MOST);
        self.credit = MOST.min(self.credit.saturating_add(earned));
        self.earned_until += EARNS_EVERY.saturating_mul(earned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_fifth_of_what_is_new_and_a_few_a_second() {
        let start = Instant::now();
        // After so many milliseconds, with so many new ones before: how many of 1,000 retries are sent.
        let check = |lines: &[(u64, u32, usize)]| {
            let mut budget = RetryBudget::new(start);
            for &(millis, new, expected) in lines {
                let now = start + Duration::from_millis(millis);
                (0..new).for_each(|_| budget.earn());
                let sent = (0..1000).filter(|_| budget.spend(now)).count();
                assert_eq!(sent, expected, "{lines:?}: after {millis} ms");
            }
        };
        check(&[(0, 0, 20), (0, 0, 0), (0, 4, 0), (0, 1, 1), (0, 50, 10)]);
        check(&[
            (0, 0, 20),
            (199, 0, 0),
            (200, 0, 1),
            (1200, 0, 5),
            (3_600_000, 0, 20),
        ]);
        check(&[(0, 10_000, 20), (0, 10_000, 20)]);
    }
}
