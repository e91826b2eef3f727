//! Tests the decision against a model of Fineract that fails in many ways. Regardless of the order of events, there may
//! be no second effect, no success without an effect, and no failure with an effect.

mod fineract;

use std::{collections::BTreeMap, time::Duration};

use self::fineract::{Dice, Fineract, Kind, send};
use super::{
    PATIENCE,
    attempts::{answered, reply},
};
use crate::domain::{
    Attempt,
    decision::{
        Circumstances, Decision, Finding, History, Question, ReadingDecision, Scope, decide,
        decide_reading,
    },
};

const RUNS: u64 = 30_000;

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
        let kinds = [Kind::Natural, Kind::Preexisting, Kind::Update];
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

    /// Makes one attempt under a key and returns the decision.
    fn attempt(&mut self, key_number: i32) -> Decision {
        let sent_at = self.fineract.now;
        let said = send(&mut self.fineract, key_number, &mut self.dice);
        self.log.push(format!("{sent_at} k{key_number} {said:?}"));
        let attempt = Attempt {
            number: i32::try_from(self.sent.len()).unwrap() + 1,
            key_number,
            reply: said.as_deref().map(reply),
            effect_preexisted: self.fineract.kind == Kind::Preexisting,
            ..answered(reply("closed"))
        };
        self.sent.push((sent_at, attempt));
        let attempts = self.attempts();
        let Some(reply) = attempts.last().unwrap().reply.clone() else {
            return Decision::SameKey {
                reason_code: "our process died",
                outage: false,
            };
        };
        decide(&reply, &History::new(&attempts), PATIENCE)
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

    /// Reads Fineract and decides. If Fineract cannot be read, the same key is sent again later.
    fn read(&mut self, question: Question) -> ReadingDecision {
        if self.dice.one_in(4) {
            self.log.push(format!("{question:?} unreadable"));
            return ReadingDecision::SameKey {
                reason_code: "evidence_unread",
            };
        }
        let finding = self.fineract.look();
        let up = Duration::from_secs(self.fineract.now - self.fineract.started_at);
        let attempts = self.attempts();
        let history = History::new(&attempts).up_for(self.dice.one_in(2).then_some(up));
        let circumstances = Circumstances {
            others_succeeded: self.dice.one_in(2),
            late_command_harmless: self.fineract.kind != Kind::Update,
        };
        let verdict = decide_reading(question, finding, &history, circumstances);
        self.log
            .push(format!("{question:?} {finding:?} → {verdict:?}"));
        verdict
    }

    /// What the gateway does after the operation has expired. `None`: the operation does not end yet, for example
    /// because the last command may have been executed and the gateway sends the key of this command again. Otherwise
    /// the operation ends as failed, unless Fineract shows the effect.
    fn close(&mut self, key_number: i32) -> Option<End> {
        let attempts = self.attempts();
        let history = History::new(&attempts);
        if history.success().is_some() {
            return Some(End::Succeeded);
        }
        if history.may_have_run_under(key_number) {
            return None;
        }
        if !history.may_have_reached_fineract() {
            return Some(End::Failed);
        }
        match self.read(Question::Closing) {
            ReadingDecision::Succeeded => Some(End::Succeeded),
            ReadingDecision::Refused => Some(End::Failed),
            ReadingDecision::NewKey { .. } | ReadingDecision::SameKey { .. } => None,
            ReadingDecision::Park { .. } => Some(End::Open),
        }
    }

    fn run(&mut self) -> End {
        let mut key_number = 1;
        let expires_at = self.fineract.now + self.dice.below(6_000);
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
            let is_past_expiry = self.fineract.now > expires_at;
            if is_past_expiry {
                if let Some(end) = self.close(key_number) {
                    return end;
                }
                let attempts = self.attempts();
                if !History::new(&attempts).may_have_run_under(key_number) {
                    continue;
                }
            }
            // Fineract is read once more before a new key is used.
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
                Decision::AwaitChecker | Decision::Rejected | Decision::Park { .. } => {
                    return End::Open;
                }
            };
            match verdict {
                ReadingDecision::Succeeded => return End::Succeeded,
                ReadingDecision::Refused => return End::Failed,
                ReadingDecision::NewKey { .. } if is_past_expiry => {}
                ReadingDecision::NewKey { .. } => key_number += 1,
                ReadingDecision::SameKey { .. } => {}
                ReadingDecision::Park { .. } => return End::Open,
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
        // Commands that have not arrived yet arrive now, and running commands end.
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
    // Most operations end nevertheless.
    let count = |kind: Kind, end: End| {
        ends.get(&(format!("{kind:?}"), format!("{end:?}")))
            .copied()
            .unwrap_or(0)
    };
    for kind in [Kind::Natural, Kind::Preexisting, Kind::Update] {
        let ended = count(kind, End::Succeeded) + count(kind, End::Failed);
        assert!(ended > 3 * count(kind, End::Open), "{ends:?}");
    }
}
