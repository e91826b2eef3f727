//! How much Fineract takes at once, learnt from its answers: one more while latency holds, half when it
//! says that it is too much (additive increase, multiplicative decrease). Pure.

use std::{collections::HashMap, time::Duration};

use crate::fineract::Kind;

/// Where every process starts, also after Fineract was away: a real one on two cores is fullest there, and
/// slower beyond (`docs/fineract/outages.md`, "Load on two cores").
const START: usize = 4;
/// A call that takes so many times what is usual for its kind is slow.
const SLOW: u32 = 3;
/// Below this nothing is slow: a busy machine alone makes that much difference.
const NEVER_SLOW: Duration = Duration::from_millis(50);
/// By which part of the difference one call moves what is usual.
const WEIGHT: u32 = 8;
/// The fewest calls that say something about latency.
const SHORTEST_ROUND: usize = 8;

/// What a call says about how much is too much.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sample {
    /// It was executed, and took so long.
    Took(Kind, Duration),
    /// Fineract, or something before it, said that it is too much, or did not answer in time.
    TooMuch,
}

/// The limit, and what it was learnt from.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    value: usize,
    most: usize,
    /// How long a call of each kind takes when Fineract has little else to do.
    usual: HashMap<Kind, Duration>,
    round: Round,
    /// Calls that were under way at the last cut: what they say is known already.
    echoes: usize,
}

#[derive(Debug, Default)]
struct Round {
    calls: usize,
    slow: usize,
    was_full: bool,
}

impl ConcurrencyLimit {
    /// A limit that never exceeds `most`.
    pub(super) fn new(most: usize) -> Self {
        Self {
            value: START.min(most),
            most,
            usual: HashMap::new(),
            round: Round::default(),
            echoes: 0,
        }
    }

    /// The limit now; at least 1.
    pub(super) fn value(&self) -> usize {
        self.value
    }

    /// Learns from a call that ended while `in_flight`, itself among them, were under way.
    pub(super) fn learn(&mut self, sample: Sample, in_flight: usize) {
        if self.echoes > 0 {
            self.echoes -= 1;
            return;
        }
        match sample {
            Sample::TooMuch => {
                self.cut_to(self.value / 2);
                self.echoes = in_flight.saturating_sub(1);
            }
            Sample::Took(kind, took) => {
                self.round.calls += 1;
                self.round.slow += usize::from(self.is_slow(kind, took, in_flight));
                self.round.was_full |= in_flight >= self.value;
                if self.round.calls >= self.value.max(SHORTEST_ROUND) {
                    self.end_round();
                }
            }
        }
    }

    /// Starts small again: Fineract was away, and is cold when it comes back.
    pub(super) fn restart(&mut self) {
        self.cut_to(START.min(self.value));
    }

    fn end_round(&mut self) {
        if 2 * self.round.slow > self.round.calls {
            self.cut_to(self.value - self.value.div_ceil(10));
        } else if self.round.was_full {
            // A limit that nobody reached was not tried.
            self.value = self.most.min(self.value + 1);
        }
        self.round = Round::default();
    }

    fn cut_to(&mut self, value: usize) {
        self.value = value.max(1);
        self.round = Round::default();
    }

    /// Compares a call with what is usual, and moves that: down by any faster call, up only by a call that
    /// was alone, so that load never passes for usual. A Fineract that has become slower for good brings
    /// the limit down to where calls are alone.
    fn is_slow(&mut self, kind: Kind, took: Duration, in_flight: usize) -> bool {
        let usual = self.usual.entry(kind).or_insert(took);
        let is_slow = took > NEVER_SLOW.max(usual.saturating_mul(SLOW));
        if took < *usual || in_flight <= 1 {
            *usual = usual.saturating_mul(WEIGHT - 1).saturating_add(took) / WEIGHT;
        }
        is_slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Method;
    use Sample::{TooMuch, Took};

    fn took(millis: u64) -> Sample {
        Took(
            Kind::of(Method::Post, "/clients"),
            Duration::from_millis(millis),
        )
    }

    /// A sample, how many calls were in flight then, and how often.
    type Line = (Sample, usize, usize);

    /// The limit after each line.
    fn values(most: usize, lines: &[Line]) -> Vec<usize> {
        let mut limit = ConcurrencyLimit::new(most);
        let after = |&(sample, in_flight, times): &Line| {
            for _ in 0..times {
                limit.learn(sample, in_flight);
            }
            limit.value()
        };
        lines.iter().map(after).collect()
    }

    #[test]
    fn the_limit_follows_what_fineract_can_do() {
        let cases: [(&str, usize, &[Line], &[usize]); 8] = [
            (
                "it starts small, and at most at its bound",
                2,
                &[(took(10), 1, 1)],
                &[2],
            ),
            (
                "one more a round while latency holds",
                32,
                &[(took(10), 4, 7), (took(10), 4, 1), (took(10), 5, 8)],
                &[4, 5, 6],
            ),
            ("never over its bound", 5, &[(took(10), 5, 100)], &[5]),
            (
                "a limit that is not reached stays",
                32,
                &[(took(10), 3, 100)],
                &[4],
            ),
            (
                "slow rounds bring it down, to 1",
                32,
                &[(took(20), 8, 32), (took(200), 8, 8), (took(200), 7, 800)],
                &[8, 7, 1],
            ),
            (
                "below 50 ms nothing is slow",
                32,
                &[(took(1), 8, 8), (took(50), 8, 8)],
                &[5, 6],
            ),
            (
                "too much halves it once for all that were under way",
                32,
                &[
                    (took(10), 8, 32),
                    (TooMuch, 8, 1),
                    (TooMuch, 8, 7),
                    (TooMuch, 4, 1),
                    (TooMuch, 4, 100),
                ],
                &[8, 4, 4, 2, 1],
            ),
            (
                "slower for good: down to 1, then up from there",
                8,
                &[
                    (took(20), 8, 32),
                    (took(400), 8, 400),
                    (took(400), 1, 40),
                    (took(400), 8, 80),
                ],
                &[8, 1, 2, 8],
            ),
        ];
        for (case, most, lines, expected) in cases {
            assert_eq!(values(most, lines), expected, "{case}");
        }
    }

    #[test]
    fn it_stays_where_a_fineract_on_two_cores_is_fullest() {
        let mut limit = ConcurrencyLimit::new(32);
        (0..8).for_each(|_| limit.learn(took(16), 1));
        // `docs/fineract/outages.md`, "Load on two cores": 39 ms with 4 at once, 85 ms with 8.
        for call in 0..2000 {
            let in_flight = limit.value();
            limit.learn(took(10 * u64::try_from(in_flight).unwrap()), in_flight);
            assert!(
                call < 100 || (4..=6).contains(&limit.value()),
                "{}",
                limit.value()
            );
        }
    }

    #[test]
    fn a_restart_starts_small_again_and_never_raises() {
        let mut limit = ConcurrencyLimit::new(32);
        for _ in 0..64 {
            limit.learn(took(10), 32);
        }
        limit.restart();
        assert_eq!(limit.value(), 4);
        limit.learn(TooMuch, 1);
        limit.restart();
        assert_eq!(limit.value(), 2);
    }
}
