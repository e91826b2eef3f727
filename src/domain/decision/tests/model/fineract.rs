//! A model of Fineract that treats the commands of one operation as badly as a real Fineract could.

use std::collections::BTreeMap;

use crate::domain::decision::Finding;

/// The kind of command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A create, an approval or a payment: Fineract refuses a second one.
    Natural,
    /// The same kind of command, but the effect existed before anything was sent.
    Preexisting,
    /// An update: every execution takes effect.
    Update,
}

/// A row of Fineract's table of commands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Row {
    /// The command runs until this time, or for ever (`None`). `effect` tells whether the command takes effect.
    Running { until: Option<u64>, effect: bool },
    /// The command ended with this answer, which is stored.
    Ended(&'static str),
}

pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub(super) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

pub(super) struct Fineract {
    pub(super) kind: Kind,
    pub(super) now: u64,
    pub(super) started_at: u64,
    pub(super) rows: BTreeMap<i32, Row>,
    /// Commands that have not arrived yet: the key, and the time of arrival.
    pub(super) travelling: Vec<(i32, u64)>,
    pub(super) effects: u32,
    /// Somebody else's effect exists instead.
    pub(super) theirs: bool,
}

impl Fineract {
    /// Advances the clock: commands arrive, and running ones end.
    pub(super) fn pass(&mut self, seconds: u64, dice: &mut Dice) {
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

    /// Crashes and restarts: a running command stays in the table as running, sometimes with its effect.
    pub(super) fn crash(&mut self, dice: &mut Dice) {
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

    /// Executes a command and returns the answer.
    fn execute(&mut self) -> &'static str {
        let taken = self.theirs || self.effects > 0 || self.kind == Kind::Preexisting;
        if self.kind != Kind::Update && taken {
            return "already";
        }
        self.effects += 1;
        "done"
    }

    /// Receives a command and returns the answer. `None` if the answer comes too late.
    fn take(&mut self, key: i32, dice: &mut Dice) -> Option<String> {
        match dice.below(24) {
            0 => return Some("403:not-authorized".to_owned()),
            1 => return Some("409:locked".to_owned()),
            2 => return Some("503:scheduler".to_owned()),
            // A filter fails before the key is checked.
            3 => return Some("500".to_owned()),
            4 => return Some("502".to_owned()),
            _ => {}
        }
        match self.rows.get(&key) {
            // Between Fineract's own tries, the command seems to be refused. If two requests with one key arrive at the
            // same time, an older release answers with an error of the database.
            Some(Row::Running { until, .. }) => {
                return Some(match dice.below(4) {
                    0 if until.is_some() => "409c:conflict".to_owned(),
                    1 if until.is_some() => "403:database".to_owned(),
                    _ => "425c".to_owned(),
                });
            }
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
        let answer = match dice.below(13) {
            number @ 0..=3 => fails[usize::try_from(number).unwrap()],
            // The effect exists, although a failure is stored.
            12 => {
                self.execute();
                "500:"
            }
            // The effect exists, but its row cannot be written.
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

    /// What a reading finds.
    pub(super) fn look(&self) -> Finding {
        match (self.kind, self.effects > 0, self.theirs) {
            (Kind::Natural | Kind::Update, true, _) => Finding::Ours,
            (Kind::Natural | Kind::Update, false, true) => Finding::NotOurs,
            // An effect that existed before is no evidence either.
            (Kind::Preexisting, _, _) | (_, false, false) => Finding::Absent,
        }
    }
}

/// Sends a command and returns the reply.
pub(super) fn send(fineract: &mut Fineract, key: i32, dice: &mut Dice) -> Option<String> {
    match dice.below(12) {
        0 => Some("unreachable".to_owned()),
        // The command arrives later, if at all: the network delayed it, or the gateway's process was suspended.
        1 => {
            fineract
                .travelling
                .push((key, fineract.now + dice.below(2_000)));
            dice.one_in(2).then(|| "timeout".to_owned())
        }
        2 => Some("closed".to_owned()),
        // The command arrives, and its answer is lost.
        3 => {
            fineract.take(key, dice);
            Some("timeout".to_owned())
        }
        // The gateway's process dies in the meantime.
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
