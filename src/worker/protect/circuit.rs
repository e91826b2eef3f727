//! The state of the circuit breaker: when to stop sending, and when to try again. No I/O and no clock.

use std::time::{Duration, Instant};

/// After this many consecutive calls without an answer, Fineract counts as unreachable.
const UNANSWERED_CALLS: u32 = 5;
/// The pause of a newly opened circuit before its first trial, before jitter.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two trials, before jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Closed: everything is sent. Open: nothing is sent, except one trial operation after each pause. The pause
/// doubles after each failed trial.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    open: Option<Open>,
    /// Consecutive calls without an answer.
    unanswered: u32,
}

impl Circuit {
    pub(super) fn is_closed(&self) -> bool {
        self.open.is_none()
    }

    /// Whether a trial may start now.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| !open.is_trying && open.next_trial <= now)
    }

    /// Starts a trial, if one may start now (half-open).
    pub(super) fn start_trial(&mut self, now: Instant) -> bool {
        let may_try = self.may_try(now);
        if let Some(open) = self.open.as_mut().filter(|_| may_try) {
            open.is_trying = true;
            // An inconclusive trial does not lengthen the pause.
            open.next_trial = now + open.pause;
        }
        may_try
    }

    /// Ends the trial, if there is one.
    pub(super) fn end_trial(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_trying = false;
        }
    }

    /// The reason why the circuit is open, or `None` if it is closed.
    pub(super) fn reason(&self) -> Option<&'static str> {
        self.open.as_ref().map(|open| open.reason)
    }

    /// Opens the circuit, or doubles its pause after a failed trial. Returns `false`, and changes nothing, if the
    /// circuit was open already and no trial runs: the result then belongs to a call that started before the circuit
    /// opened.
    pub(super) fn open(
        &mut self,
        reason: &'static str,
        now: Instant,
        jitter: fn(Duration) -> Duration,
    ) -> bool {
        let pause = match &self.open {
            None => SHORTEST_PAUSE,
            Some(open) if open.is_trying => LONGEST_PAUSE.min(open.pause * 2),
            Some(_) => return false,
        };
        self.open = Some(Open {
            reason,
            pause,
            next_trial: now + jitter(pause),
            is_trying: false,
        });
        true
    }

    /// Closes the circuit. Returns the reason why it was open.
    pub(super) fn close(&mut self) -> Option<&'static str> {
        self.unanswered = 0;
        self.open.take().map(|open| open.reason)
    }

    /// Notes an answer. Returns the reason why the circuit is open.
    pub(super) fn note_answer(&mut self) -> Option<&'static str> {
        self.unanswered = 0;
        self.reason()
    }

    /// Notes a call without an answer. Returns whether there have been too many in a row.
    pub(super) fn note_no_answer(&mut self) -> bool {
        self.unanswered = self.unanswered.saturating_add(1);
        self.unanswered >= UNANSWERED_CALLS
    }
}

#[derive(Debug)]
struct Open {
    reason: &'static str,
    pause: Duration,
    next_trial: Instant,
    is_trying: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: &str = "fineract_unreachable";

    fn open(circuit: &mut Circuit, now: Instant) -> bool {
        circuit.open(AWAY, now, |pause| pause)
    }

    #[test]
    fn it_opens_after_five_consecutive_calls_without_an_answer() {
        let mut circuit = Circuit::default();
        for calls in ["....", "!....", "!!..!....", "!....."] {
            let note = |call| match call {
                '.' => circuit.note_no_answer(),
                _ => circuit.note_answer().is_some(),
            };
            let opens: Vec<bool> = calls.chars().map(note).collect();
            let last = opens.len() - 1;
            assert!(opens[..last].iter().all(|opens| !opens), "{calls}");
            assert_eq!(opens[last], calls.ends_with("....."), "{calls}");
        }
    }

    #[test]
    fn one_trial_after_a_pause_that_doubles() {
        let mut now = Instant::now();
        let mut circuit = Circuit::default();
        assert!(!circuit.start_trial(now), "closed: no trial needed");
        assert!(open(&mut circuit, now));
        assert!(!open(&mut circuit, now), "a late result changes nothing");
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            let pause = Duration::from_secs(pause);
            now += pause;
            let just_before = now.checked_sub(Duration::from_millis(1)).unwrap();
            assert!(!circuit.may_try(just_before));
            assert!(circuit.start_trial(now), "after {pause:?}");
            assert!(!circuit.may_try(now + LONGEST_PAUSE), "one trial at a time");
            assert!(open(&mut circuit, now));
        }
        assert_eq!(circuit.close(), Some(AWAY));
        assert!(open(&mut circuit, now));
        assert!(
            circuit.may_try(now + SHORTEST_PAUSE),
            "the pause is short again"
        );
    }

    #[test]
    fn an_inconclusive_trial_does_not_change_the_pause() {
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
