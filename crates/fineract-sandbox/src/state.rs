//! Everything the sandbox knows, and how a command runs on it.

use std::collections::BTreeSet;
use std::time::SystemTime;

use axum::http::StatusCode;
use chrono::NaiveDate;

use super::books::{Books, Desk};
use super::commands::{Begun, Commands, Row};
use super::dates;
use super::failure::Failure;
use super::faults::{Effect, Faults};
use super::json::Json;
use super::keys::KeySettings;
use super::ledger::Ledger;
use super::operations::{Operation, Order, Outcome};
use super::release::Release;
use super::reply::Reply;
use super::users::{User, Users};

/// The whole state; one lock is around it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) books: Books,
    pub(super) release: Release,
    pub(super) keys: KeySettings,
    pub(super) users: Users,
    pub(super) commands: Commands,
    pub(super) ledger: Ledger,
    pub(super) faults: Faults,
    /// The permissions that a checker must confirm.
    pub(super) maker_checker: BTreeSet<String>,
    pub(super) started_at: SystemTime,
    /// Commands whose rows have ended in a 500, and whose effects come before the next key's for the same.
    belated: Vec<(i64, Write)>,
    fixed_today: Option<NaiveDate>,
}

/// A write after its route was found: what to do, to what, and how the request was labelled.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) operation: &'static Operation,
    pub(super) order: Order,
    pub(super) key: String,
    /// The key that the caller has sent, by which the ledger knows it.
    pub(super) sent_key: String,
    pub(super) username: String,
    /// Sent with a JSON Content-Type: the stored answer is then the one on the wire.
    pub(super) is_json: bool,
    pub(super) path: String,
}

/// How a run differs from the ordinary.
#[derive(Clone, Debug)]
pub(super) enum Twist {
    None,
    /// It waits for a checker.
    Maker,
    /// It breaks, and that is stored.
    Broken(Failure, Effect),
    /// Its row stays "running".
    Stuck {
        effect: bool,
    },
}

impl State {
    pub(super) fn new(books: Books, release: Release, today: Option<NaiveDate>) -> Self {
        Self {
            books,
            release,
            keys: KeySettings::default(),
            users: Users::default(),
            commands: Commands::default(),
            ledger: Ledger::default(),
            faults: Faults::default(),
            maker_checker: BTreeSet::new(),
            started_at: SystemTime::now(),
            belated: Vec::new(),
            fixed_today: today,
        }
    }

    /// The business date.
    pub(super) fn today(&self) -> NaiveDate {
        self.fixed_today.unwrap_or_else(dates::today)
    }

    pub(super) fn fixed_today(&self) -> Option<NaiveDate> {
        self.fixed_today
    }

    pub(super) fn begin(&mut self, write: &Write) -> Begun {
        self.catch_up_before(write);
        self.commands
            .begin(write.operation, &write.order, &write.key, &write.username)
    }

    /// Runs a begun command and ends its row.
    pub(super) fn finish(&mut self, id: i64, write: &Write, twist: Twist) -> Reply {
        let Some(user) = self.users.get(&write.username).cloned() else {
            self.commands.forget(id);
            return Failure::NotAuthorized.reply(&write.path);
        };
        let held = self.maker_checker.contains(&write.operation.permission()) && !user.is_checker();
        match twist {
            Twist::Broken(failure, effect) => {
                if effect == Effect::Before {
                    let reply = self.run(id, write, &user, None);
                    if !reply.status.is_success() {
                        return reply;
                    }
                } else if effect == Effect::BeforeNextKey {
                    // What is refused now would be refused then: it may have met another key's effect.
                    if let Err(refused) = self.rehearse(write, &user) {
                        return self.refuse(id, write, &refused);
                    }
                    self.belated.push((id, write.clone()));
                }
                self.refuse(id, write, &failure)
            }
            Twist::Maker => self.hold(id, write, &user),
            Twist::None if held => self.hold(id, write, &user),
            Twist::Stuck { effect: false } => echo(write),
            Twist::Stuck { effect: true } => {
                let reply = self.run(id, write, &user, None);
                if reply.status.is_success() {
                    self.commands.set(id, Row::UnderProcessing);
                    return echo(write);
                }
                reply
            }
            Twist::None => self.run(id, write, &user, None),
        }
    }

    /// Whether a command would run as the books are now, which stay as they are.
    fn rehearse(&self, write: &Write, user: &User) -> Result<Outcome, Failure> {
        let mut desk = Desk {
            books: &mut self.books.clone(),
            release: self.release,
            today: self.today(),
            user,
        };
        write.operation.run(&mut desk, &write.order)
    }

    pub(super) fn run(
        &mut self,
        id: i64,
        write: &Write,
        user: &User,
        command_id: Option<i64>,
    ) -> Reply {
        let today = self.today();
        let mut desk = Desk {
            books: &mut self.books,
            release: self.release,
            today,
            user,
        };
        match write.operation.run(&mut desk, &write.order) {
            Ok(outcome) => {
                let reply = Reply::ok(Json::from(outcome.body(command_id)).compact());
                let stored = if write.is_json {
                    reply.clone()
                } else {
                    Reply::ok(Json::from(outcome.stored()).compact())
                };
                self.commands.set(id, Row::Ended(stored));
                if write.operation.is_business() {
                    self.ledger
                        .post(write.operation, &outcome.posting, &write.sent_key);
                }
                reply
            }
            Err(failure) => self.refuse(id, write, &failure),
        }
    }

    pub(super) fn refuse(&mut self, id: i64, write: &Write, failure: &Failure) -> Reply {
        let reply = failure.reply(&write.path);
        let is_unmapped = matches!(failure, Failure::Unmapped(_));
        if failure.is_stored() {
            let stored = if write.is_json && !is_unmapped {
                reply.clone()
            } else {
                failure.stored(&write.path)
            };
            self.commands.set(id, Row::Ended(stored));
        } else {
            self.commands.forget(id);
        }
        reply
    }

    /// Lets the effect come that was left to be done before another key asks for the same.
    fn catch_up_before(&mut self, next: &Write) {
        let is_before = |write: &Write| {
            std::ptr::eq(write.operation, next.operation)
                && write.key != next.key
                && (write.order.id, write.order.transaction_id)
                    == (next.order.id, next.order.transaction_id)
                && write.order.params.0 == next.order.params.0
        };
        let Some(index) = self.belated.iter().position(|(_, write)| is_before(write)) else {
            return;
        };
        let (id, write) = self.belated.swap_remove(index);
        let row = self.commands.get(id).map(|command| command.row.clone());
        if let (Some(row), Some(user)) = (row, self.users.get(&write.username).cloned()) {
            if self.run(id, &write, &user, None).status.is_success() {
                self.faults.note_met();
            }
            self.commands.set(id, row);
        }
    }
}

/// "Too early": the JSON just sent, sent back (`docs/fineract/idempotency.md`, "The same key again").
pub(super) fn echo(write: &Write) -> Reply {
    let body = Json::from(write.order.params.0.clone()).compact();
    Reply::json(StatusCode::TOO_EARLY, body).cached()
}
