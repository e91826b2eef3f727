//! The engine against a model of Fineract that does its worst: whatever happens in whatever order, no
//! second effect, no success without one, no failure with one.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        Circumstances, Decision, Finding, History, Patience, Scope, Verdict, decide, decide_reading,
    },
    attempts::reply,
};
use crate::domain::{Attempt, Method, Request};

const STUCK_AFTER: u64 = 300;
const RUNS: u64 = 30_000;

/// What kind of command it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// A create, an approval, a payment: a second one is refused.
    Natural,
    /// The same, but it looked done before anything was sent.
    Foreseen,
    /// An update: each one takes effect.
    Update,
}

/// A row of Fineract's commands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Row {
    /// Runs until then, or for ever; whether it will take effect.
    Running { until: Option<u64>, effect: bool },
    /// Ended with this answer, to be cached.
    Ended(&'static str),
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

struct Fineract {
    kind: Kind,
    now: u64,
    started_at: u64,
    rows: BTreeMap<i32, Row>,
    /// Commands that are on their way: the key, and when they arrive.
    travelling: Vec<(i32, u64)>,
    effects: u32,
    /// Somebody else's stands in its place.
    theirs: bool,
}

impl Fineract {
    /// Lets time pass: what travels arrives, what runs ends.
    fn pass(&mut self, seconds: u64, dice: &mut Dice) {
        self.now += seconds;
        let now = self.now;
        let arrived: Vec<i32> = self
            .travelling
            .iter()
            .filter(|(_, at)| *at <= now)
            .map(|(key, _)| *key)
            .collect();
        self.travelling.retain(|(_, at)| *at > now);
        for key in arrived {
            self.take(key, dice);
        }
        let done: Vec<i32> = self
            .rows
            .iter()
            .filter(|(_, row)| matches!(row, Row::Running { until: Some(at), .. } if *at <= now))
            .map(|(key, _)| *key)
            .collect();
        for key in done {
            let answer = self.execute();
            self.rows.insert(key, Row::Ended(answer));
        }
    }

    /// Dies and comes back: what runs stays so for ever, sometimes with its effect.
    fn crash(&mut self, dice: &mut Dice) {
        for key in self.rows.keys().copied().collect::<Vec<_>>() {
            if let Some(Row::Running { until: Some(_), .. }) = self.rows.get(&key) {
                let effect = dice.one_in(3);
                if effect {
                    self.execute();
                }
                self.rows.insert(
                    key,
                    Row::Running {
                        until: None,
                        effect,
                    },
                );
            }
        }
        self.now += 45;
        self.started_at = self.now;
    }

    /// Runs a command; what it answers.
    fn execute(&mut self) -> &'static str {
        let taken = self.theirs || self.effects > 0 || self.kind == Kind::Foreseen;
        if self.kind != Kind::Update && taken {
            return "already";
        }
        self.effects += 1;
        "done"
    }

    /// A command arrives; what it answers in time, if anything.
    fn take(&mut self, key: i32, dice: &mut Dice) -> Option<String> {
        match dice.below(24) {
            0 => return Some("403:not-authorized".to_owned()),
            1 => return Some("409:locked".to_owned()),
            2 => return Some("503:scheduler".to_owned()),
            // A filter before the key.
            3 => return Some("500".to_owned()),
            4 => return Some("502".to_owned()),
            _ => {}
        }
        match self.rows.get(&key) {
            Some(Row::Running { .. }) => return Some("425c".to_owned()),
            Some(Row::Ended("done")) => return Some("done-c".to_owned()),
            Some(Row::Ended("already")) => return Some("403c:already".to_owned()),
            Some(Row::Ended(answer)) => return Some(answer.replacen(':', "c:", 1)),
            None => {}
        }
        if dice.one_in(3) {
            let until = self.now + [1, 40, 200, 900][usize::try_from(dice.below(4)).unwrap()];
            let running = Row::Running {
                until: Some(until),
                effect: true,
            };
            self.rows.insert(key, running);
            return None;
        }
        let fails = ["500:", "403:database", "409:conflict", "400:rule"];
        let answer = match dice.below(12) {
            number @ 0..=3 => fails[usize::try_from(number).unwrap()],
            // The effect is there, but the row cannot be written.
            4 => {
                self.execute();
                let stranded = Row::Running {
                    until: None,
                    effect: true,
                };
                self.rows.insert(key, stranded);
                return Some("500".to_owned());
            }
            _ => self.execute(),
        };
        self.rows.insert(key, Row::Ended(answer));
        Some(match answer {
            "already" => "403:already".to_owned(),
            "done" => "done".to_owned(),
            other => other.trim_end_matches(':').to_owned(),
        })
    }

    /// What reading finds.
    fn look(&self) -> Finding {
        match (self.kind, self.effects > 0, self.theirs) {
            // It looks like ours, and is not: the worker knows it was so before.
            (Kind::Foreseen, _, _) => Finding::Absent,
            (_, true, _) => Finding::Ours,
            (_, false, true) => Finding::NotOurs,
            (_, false, false) => Finding::Absent,
        }
    }
}

/// Sends a command; what comes back.
fn send(fineract: &mut Fineract, key: i32, dice: &mut Dice) -> Option<String> {
    match dice.below(12) {
        0 => Some("unreachable".to_owned()),
        // It arrives later, if at all: the network, or a process of ours that slept.
        1 => {
            fineract
                .travelling
                .push((key, fineract.now + dice.below(2_000)));
            dice.one_in(2).then(|| "timeout".to_owned())
        }
        2 => Some("closed".to_owned()),
        // It arrives, and its answer is lost.
        3 => {
            fineract.take(key, dice);
            Some("timeout".to_owned())
        }
        // Our process dies meanwhile.
        4 => {
            fineract.take(key, dice);
            None
        }
        5 => {
            fineract.take(key, dice);
            Some("200:garbage".to_owned())
        }
        _ => fineract
            .take(key, dice)
            .or_else(|| Some("timeout".to_owned())),
    }
}

#[derive(Debug, PartialEq)]
enum End {
    Succeeded,
    Failed,
    Open,
}

struct Run {
    fineract: Fineract,
    dice: Dice,
    sent: Vec<(u64, Attempt)>,
    log: Vec<String>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let kinds = [Kind::Natural, Kind::Foreseen, Kind::Update];
        let kind = kinds[usize::try_from(dice.below(3)).unwrap()];
        Self {
            fineract: Fineract {
                kind,
                now: 1_000,
                started_at: 0,
                rows: BTreeMap::new(),
                travelling: Vec::new(),
                effects: 0,
                theirs: false,
            },
            dice,
            sent: Vec::new(),
            log: vec![format!("{kind:?}")],
        }
    }

    /// One attempt under a key, and what is decided after it.
    fn attempt(&mut self, key_number: i32) -> Decision {
        let sent_at = self.fineract.now;
        let said = send(&mut self.fineract, key_number, &mut self.dice);
        self.log.push(format!("{sent_at} k{key_number} {said:?}"));
        let attempt = Attempt {
            number: i32::try_from(self.sent.len()).unwrap() + 1,
            key_number,
            request: Request {
                method: Method::Post,
                path: "/loans/9?command=approve".to_owned(),
                body: None,
            },
            reply: said.as_deref().map(reply),
            age: Duration::ZERO,
            foreseen: self.fineract.kind == Kind::Foreseen,
        };
        self.sent.push((sent_at, attempt));
        let attempts = self.attempts();
        let Some(reply) = attempts.last().unwrap().reply.clone() else {
            return Decision::SameKey {
                why: "our process died",
                outage: false,
            };
        };
        let patience = Patience {
            stuck_after: Duration::from_secs(STUCK_AFTER),
        };
        decide(&reply, &History::new(&attempts), patience)
    }

    fn attempts(&self) -> Vec<Attempt> {
        let age = |sent_at| Duration::from_secs(self.fineract.now - sent_at);
        self.sent
            .iter()
            .map(|(sent_at, attempt)| Attempt {
                age: age(*sent_at),
                ..attempt.clone()
            })
            .collect()
    }

    fn read(&mut self, question: super::super::Question) -> Verdict {
        let finding = self.fineract.look();
        let up = Duration::from_secs(self.fineract.now - self.fineract.started_at);
        let attempts = self.attempts();
        let history = History::new(&attempts).up_for(self.dice.one_in(2).then_some(up));
        let circumstances = Circumstances {
            others_succeeded: self.dice.one_in(2),
            late_command_harmless: self.fineract.kind != Kind::Update,
            checkers_readable: true,
        };
        let verdict = decide_reading(question, finding, &history, circumstances);
        self.log
            .push(format!("{question:?} {finding:?} → {verdict:?}"));
        verdict
    }

    fn run(&mut self) -> End {
        let mut key_number = 1;
        for _ in 0..40 {
            let seconds = 1 + self.dice.below(90);
            self.fineract.pass(seconds, &mut self.dice);
            if self.dice.one_in(15) {
                self.fineract.crash(&mut self.dice);
                self.log.push(format!("{} crash", self.fineract.now));
            }
            if self.dice.one_in(40) && self.fineract.effects == 0 {
                self.fineract.theirs = true;
            }
            // Before a new key, what is there is read once more.
            let is_new = self
                .sent
                .last()
                .is_some_and(|(_, last)| last.key_number < key_number);
            if is_new && self.fineract.look() == Finding::Ours {
                return End::Succeeded;
            }
            let verdict = match self.attempt(key_number) {
                Decision::Succeeded => return End::Succeeded,
                Decision::Refused => return End::Failed,
                Decision::SameKey { .. } => continue,
                Decision::Read(question) => self.read(question),
                Decision::Suspect { scope, .. } => {
                    assert_eq!(scope, Scope::Type);
                    continue;
                }
                Decision::AwaitChecker | Decision::Park { .. } => return End::Open,
            };
            match verdict {
                Verdict::Succeeded => return End::Succeeded,
                Verdict::Refused => return End::Failed,
                Verdict::NewKey { .. } => key_number += 1,
                Verdict::SameKey { .. } => {}
                Verdict::Park { .. } => return End::Open,
            }
        }
        End::Open
    }
}

#[test]
fn whatever_fineract_does_nothing_happens_twice_or_in_secret() {
    let mut ends = BTreeMap::new();
    for seed in 1..=RUNS {
        let mut run = Run::new(seed);
        let end = run.run();
        // What is on its way arrives, what runs ends.
        run.fineract.pass(10_000, &mut run.dice);
        run.fineract.pass(10_000, &mut run.dice);
        let effects = run.fineract.effects;
        let right = match end {
            End::Succeeded => effects == 1,
            End::Failed => effects == 0,
            End::Open => effects <= 1,
        };
        assert!(
            right,
            "seed {seed}: {end:?} with {effects} effects\n{}",
            run.log.join("\n")
        );
        *ends
            .entry((format!("{:?}", run.fineract.kind), format!("{end:?}")))
            .or_insert(0) += 1;
    }
    // Most of them come to an end all the same.
    let count = |kind: Kind, end: End| {
        ends.get(&(format!("{kind:?}"), format!("{end:?}")))
            .copied()
            .unwrap_or(0)
    };
    for kind in [Kind::Natural, Kind::Foreseen, Kind::Update] {
        let ended = count(kind, End::Succeeded) + count(kind, End::Failed);
        assert!(ended > 3 * count(kind, End::Open), "{ends:?}");
    }
}
