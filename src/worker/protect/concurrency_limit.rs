//! The number of operations that may call Fineract at the same time. The gateway learns this number from Fineract's
//! answers by additive increase and multiplicative decrease: one more while latency is stable, a tenth less if calls
//! become slow, half after a sign of overload. No I/O and no clock.

use std::{collections::HashMap, time::Duration};

use crate::fineract::Kind;

/// The limit at the start and after an outage. With this limit, a real Fineract on two cores reaches its highest
/// throughput; a higher limit only makes Fineract slower (`docs/fineract/outages.md`, "Load on two cores").
const START: usize = 4;
/// A call is slow if it takes more than this many times the usual duration of its kind of call.
const SLOW_FACTOR: u32 = 3;
/// A call faster than this is never slow, because a busy machine alone makes such a difference.
const NEVER_SLOW: Duration = Duration::from_millis(50);
/// A call moves the usual duration towards its own duration, by their difference divided by this number.
const SMOOTHING: u32 = 8;
/// Latency is judged after at least this many calls.
const SHORTEST_ROUND: usize = 8;

/// What a call shows about the load.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sample {
    /// Fineract executed the call in this time.
    Took(Kind, Duration),
    /// Fineract, or a proxy before Fineract, refused the call because of overload, or did not answer in time.
    TooMuch,
}

/// The limit, and the measurements on which it is based.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    value: usize,
    max: usize,
    /// The usual duration of a call of each kind while Fineract has little load.
    usual: HashMap<Kind, Duration>,
    round: Round,
    /// How many results are still to be ignored. They belong to calls that were in progress at the last decrease,
    /// and show the same overload.
    ignored_calls: usize,
}

#[derive(Debug, Default)]
struct Round {
    calls: usize,
    slow: usize,
    was_full: bool,
}

impl ConcurrencyLimit {
    /// A limit that never exceeds `max`.
    pub(super) fn new(max: usize) -> Self {
        Self {
            value: START.min(max),
            max,
            usual: HashMap::new(),
            round: Round::default(),
            ignored_calls: 0,
        }
    }

    /// The current limit, at least 1.
    pub(super) fn value(&self) -> usize {
        self.value
    }

    /// Learns from a call that ended while `in_flight` calls, including itself, were in progress.
    pub(super) fn learn(&mut self, sample: Sample, in_flight: usize) {
        if self.ignored_calls > 0 {
            self.ignored_calls -= 1;
            return;
        }
        match sample {
            Sample::TooMuch => {
                self.cut_to(self.value / 2);
                self.ignored_calls = in_flight.saturating_sub(1);
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

    /// Starts with a small limit again after an outage, because Fineract has to warm up.
    pub(super) fn restart(&mut self) {
        self.cut_to(START.min(self.value));
    }

    fn end_round(&mut self) {
        if 2 * self.round.slow > self.round.calls {
            self.cut_to(self.value - self.value.div_ceil(10));
        } else if self.round.was_full {
            // Raise the limit only if it was reached; otherwise nothing shows that more is possible.
            self.value = self.max.min(self.value + 1);
        }
        self.round = Round::default();
    }

    fn cut_to(&mut self, value: usize) {
        self.value = value.max(1);
        self.round = Round::default();
    }

    /// Whether a call was slow, compared with the usual duration of its kind of call. Also updates the usual duration.
    /// A faster call lowers the usual duration. A slower call raises the usual duration only if no other call was in
    /// progress, so that load never counts as usual. If Fineract becomes permanently slower, the limit falls until
    /// calls run one at a time.
    fn is_slow(&mut self, kind: Kind, took: Duration, in_flight: usize) -> bool {
        let usual = self.usual.entry(kind).or_insert(took);
        let is_slow = took > NEVER_SLOW.max(usual.saturating_mul(SLOW_FACTOR));
        if took < *usual || in_flight <= 1 {
            *usual = usual.saturating_mul(SMOOTHING - 1).saturating_add(took) / SMOOTHING;
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

    /// A sample, the number of calls in flight, and how often the sample is repeated.
    type Line = (Sample, usize, usize);

    /// The limit after each line.
    fn values(max: usize, lines: &[Line]) -> Vec<usize> {
        let mut limit = ConcurrencyLimit::new(max);
        let after = |&(sample, in_flight, times): &Line| {
            for _ in 0..times {
                limit.learn(sample, in_flight);
            }
            limit.value()
        };
        lines.iter().map(after).collect()
    }

    #[test]
    fn the_limit_follows_latency_and_overload() {
        let cases: [(&str, usize, &[Line], &[usize]); 8] = [
            (
                "the limit starts small, and never above its maximum",
                2,
                &[(took(10), 1, 1)],
                &[2],
            ),
            (
                "one more per round while latency is stable",
                32,
                &[(took(10), 4, 7), (took(10), 4, 1), (took(10), 5, 8)],
                &[4, 5, 6],
            ),
            ("never over its maximum", 5, &[(took(10), 5, 100)], &[5]),
            (
                "a limit that is not reached stays unchanged",
                32,
                &[(took(10), 3, 100)],
                &[4],
            ),
            (
                "slow rounds lower the limit, down to 1",
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
                "overload halves the limit once for all calls that were in progress",
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
                "if Fineract is permanently slower, the limit falls to 1 and rises again",
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
        for (case, max, lines, expected) in cases {
            assert_eq!(values(max, lines), expected, "{case}");
        }
    }

    #[test]
    fn it_stays_where_the_throughput_of_two_cores_is_highest() {
        let mut limit = ConcurrencyLimit::new(32);
        (0..8).for_each(|_| limit.learn(took(16), 1));
        // `docs/fineract/outages.md`, "Load on two cores": 39 ms with 4 calls at the same time, 85 ms with 8.
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
    fn a_restart_lowers_the_limit_and_never_raises_it() {
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
