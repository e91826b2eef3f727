//! The breaker behind the gate: when to stop sending, and when to try again. Pure.

use std::time::{Duration, Instant};

/// So many calls in a row without an answer, and Fineract is away.
const SILENT_CALLS: u32 = 5;
/// How long a breaker that has just opened waits before the first trial, before jitter.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest wait between two trials, before jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Closed, everything is sent. Open, nothing is, but for one trial after a pause that doubles each time.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    opened: Option<Opened>,
    /// Calls in a row without an answer.
    silent: u32,
}

#[derive(Debug)]
struct Opened {
    reason: &'static str,
    pause: Duration,
    next_trial: Instant,
    is_trying: bool,
}

impl Circuit {
    pub(super) fn is_closed(&self) -> bool {
        self.opened.is_none()
    }

    /// Whether a trial may start now.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        let opened = self.opened.as_ref();
        opened.is_some_and(|opened| !opened.is_trying && opened.next_trial <= now)
    }

    /// Starts a trial, if one may start now: half-open.
    pub(super) fn start_trial(&mut self, now: Instant) -> bool {
        let may_try = self.may_try(now);
        if let Some(opened) = self.opened.as_mut().filter(|_| may_try) {
            opened.is_trying = true;
            // A trial that says neither yes nor no does not make the pause longer.
            opened.next_trial = now + opened.pause;
        }
        may_try
    }

    /// Ends a trial, if there is one.
    pub(super) fn end_trial(&mut self) {
        if let Some(opened) = &mut self.opened {
            opened.is_trying = false;
        }
    }

    /// Why it is open, if it is.
    pub(super) fn reason(&self) -> Option<&'static str> {
        self.opened.as_ref().map(|opened| opened.reason)
    }

    /// Opens it, or keeps it open for longer when a trial has failed. `false`: it was open, and those that
    /// were under way then say nothing new.
    pub(super) fn open(
        &mut self,
        reason: &'static str,
        now: Instant,
        jitter: fn(Duration) -> Duration,
    ) -> bool {
        let pause = match &self.opened {
            None => SHORTEST_PAUSE,
            Some(opened) if opened.is_trying => LONGEST_PAUSE.min(opened.pause * 2),
            Some(_) => return false,
        };
        self.opened = Some(Opened {
            reason,
            pause,
            next_trial: now + jitter(pause),
            is_trying: false,
        });
        true
    }

    /// Closes it; gives the reason why it was open.
    pub(super) fn close(&mut self) -> Option<&'static str> {
        self.silent = 0;
        self.opened.take().map(|opened| opened.reason)
    }

    /// An answer came; gives the reason why it is open.
    pub(super) fn note_answer(&mut self) -> Option<&'static str> {
        self.silent = 0;
        self.reason()
    }

    /// No answer came; whether that is one too many.
    pub(super) fn note_silence(&mut self) -> bool {
        self.silent = self.silent.saturating_add(1);
        self.silent >= SILENT_CALLS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: &str = "fineract_unreachable";

    fn open(circuit: &mut Circuit, now: Instant) -> bool {
        circuit.open(AWAY, now, |pause| pause)
    }

    #[test]
    fn it_opens_after_five_silent_calls_in_a_row() {
        let mut circuit = Circuit::default();
        for calls in ["....", "!....", "!!..!....", "!....."] {
            let tell = |call| match call {
                '.' => circuit.note_silence(),
                _ => circuit.note_answer().is_some(),
            };
            let opens: Vec<bool> = calls.chars().map(tell).collect();
            let last = opens.len() - 1;
            assert!(opens[..last].iter().all(|opens| !opens), "{calls}");
            assert_eq!(opens[last], calls.ends_with("....."), "{calls}");
        }
    }

    #[test]
    fn one_trial_after_a_pause_that_doubles() {
        let mut now = Instant::now();
        let mut circuit = Circuit::default();
        assert!(!circuit.start_trial(now), "closed: nothing to try");
        assert!(open(&mut circuit, now));
        assert!(!open(&mut circuit, now), "stragglers say nothing new");
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            let pause = Duration::from_secs(pause);
            now += pause;
            let just_before = now.checked_sub(Duration::from_millis(1)).unwrap();
            assert!(!circuit.may_try(just_before));
            assert!(circuit.start_trial(now), "after {pause:?}");
            assert!(!circuit.may_try(now + LONGEST_PAUSE), "one at a time");
            assert!(open(&mut circuit, now));
        }
        assert_eq!(circuit.close(), Some(AWAY));
        assert!(open(&mut circuit, now));
        assert!(circuit.may_try(now + SHORTEST_PAUSE), "short again");
    }

    #[test]
    fn a_trial_that_says_nothing_leaves_the_pause_as_it_is() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        open(&mut circuit, now);
        let second = now + SHORTEST_PAUSE;
        assert!(circuit.start_trial(second));
        circuit.end_trial();
        assert!(!circuit.may_try(second));
        assert!(circuit.may_try(second + SHORTEST_PAUSE));
    }
}
