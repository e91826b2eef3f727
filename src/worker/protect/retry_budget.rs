//! Limits the share of retries in the traffic, because sending everything again does not help an overloaded
//! Fineract. No I/O and no clock.

use std::time::{Duration, Instant};

/// The cost of a retry. A first attempt earns 1, so five first attempts pay for one retry.
const COST: u32 = 5;
/// Credit also grows with time, by 5 retries per second, so that failed operations are retried even if nothing else
/// is sent.
const EARNS_EVERY: Duration = Duration::from_millis(1000 / (5 * COST) as u64);
/// The highest credit: 20 retries at once.
const MAX_CREDIT: u32 = 20 * COST;

/// The credit for retries of this process.
#[derive(Debug)]
pub(super) struct RetryBudget {
    credit: u32,
    earned_until: Instant,
}

impl RetryBudget {
    /// A full budget.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            credit: MAX_CREDIT,
            earned_until: now,
        }
    }

    /// Adds the credit of a first attempt.
    pub(super) fn earn(&mut self) {
        self.credit = MAX_CREDIT.min(self.credit + 1);
    }

    /// Takes the cost of a retry if there is enough credit; otherwise the retry has to wait.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        self.earn_by_time(now);
        let left = self.credit.checked_sub(COST);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }

    fn earn_by_time(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.earned_until);
        let earned =
            u32::try_from(passed.as_millis() / EARNS_EVERY.as_millis()).unwrap_or(MAX_CREDIT);
        self.credit = MAX_CREDIT.min(self.credit.saturating_add(earned));
        self.earned_until += EARNS_EVERY.saturating_mul(earned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_fifth_of_first_attempts_plus_five_a_second() {
        let start = Instant::now();
        // Each line: the time in milliseconds, the number of first attempts since the line before, and how many of
        // 1,000 retries are then sent.
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
