//! The state of the sandbox, and the steps by which a command changes it.

use std::collections::BTreeSet;
use std::time::SystemTime;

use axum::http::StatusCode;
use chrono::NaiveDate;

use super::books::{Books, Context};
use super::commands::{Begun, Commands, Row};
use super::dates;
use super::failure::Failure;
use super::faults::{Effect, Faults};
use super::json::Json;
use super::keys::KeySettings;
use super::ledger::Ledger;
use super::operations::{Input, Operation, Outcome};
use super::release::Release;
use super::reply::Reply;
use super::users::{User, Users};

/// The whole state. One lock protects it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) books: Books,
    pub(super) release: Release,
    pub(super) keys: KeySettings,
    pub(super) users: Users,
    pub(super) commands: Commands,
    pub(super) ledger: Ledger,
    pub(super) faults: Faults,
    /// A command that needs one of these permissions waits for a checker, unless the user of the command has the
    /// permission `CHECKER_SUPER_USER`.
    pub(super) maker_checker: BTreeSet<String>,
    pub(super) started_at: SystemTime,
    /// Commands that were answered with a stored 500 and have not taken effect yet, each with the id of its record.
    /// They take effect when the same command arrives under another key.
    belated: Vec<(i64, Write)>,
    fixed_today: Option<NaiveDate>,
}

/// A write request after routing: the command, its input, its key and its user.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) operation: &'static Operation,
    pub(super) input: Input,
    /// The key under which the command is recorded. It is a new UUID if the caller sent no key, or if the key is
    /// ignored.
    pub(super) key: String,
    /// The key that the caller has sent. The ledger records it.
    pub(super) sent_key: String,
    pub(super) username: String,
    /// Whether the Content-Type is JSON. If so, the answer is stored exactly as it was sent, except for
    /// [`Failure::Unmapped`].
    pub(super) is_json: bool,
    pub(super) path: String,
}

/// How a fault changes the execution of a command.
#[derive(Clone, Debug)]
pub(super) enum Twist {
    None,
    /// The command waits for a checker.
    Maker,
    /// The command is answered with this error, which is also stored.
    Broken(Failure, Effect),
    /// The record of the command stays in the state "under processing". `effect` says whether the command takes effect.
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
            .begin(write.operation, &write.input, &write.key, &write.username)
    }

    /// Runs a command for which `begin` has made a record, and updates this record.
    pub(super) fn finish(&mut self, id: i64, write: &Write, twist: Twist) -> Reply {
        let Some(user) = self.users.get(&write.username).cloned() else {
            self.commands.forget(id);
            return Failure::NotAuthorized.reply(&write.path);
        };
        let needs_checker =
            self.maker_checker.contains(&write.operation.permission()) && !user.is_checker();
        match twist {
            Twist::Broken(failure, effect) => {
                if effect == Effect::Before {
                    let reply = self.run(id, write, &user, None);
                    if !reply.status.is_success() {
                        return reply;
                    }
                } else if effect == Effect::BeforeNextKey {
                    // Only a command that would succeed now can take effect later. Any other command is refused now,
                    // for example because the effect of another key is already there.
                    if let Err(refused) = self.rehearse(write, &user) {
                        return self.refuse(id, write, &refused);
                    }
                    self.belated.push((id, write.clone()));
                }
                self.refuse(id, write, &failure)
            }
            Twist::Maker => self.submit_to_checker(id, write, &user),
            Twist::None if needs_checker => self.submit_to_checker(id, write, &user),
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

    /// Checks whether a command would succeed now, without changing the books.
    fn rehearse(&self, write: &Write, user: &User) -> Result<Outcome, Failure> {
        let mut context = Context {
            books: &mut self.books.clone(),
            release: self.release,
            today: self.today(),
            user,
        };
        write.operation.run(&mut context, &write.input)
    }

    pub(super) fn run(
        &mut self,
        id: i64,
        write: &Write,
        user: &User,
        command_id: Option<i64>,
    ) -> Reply {
        let today = self.today();
        let mut context = Context {
            books: &mut self.books,
            release: self.release,
            today,
            user,
        };
        match write.operation.run(&mut context, &write.input) {
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

    /// Looks in `belated` for a command that is the same as `next`, but has another key. If there is one, it takes
    /// effect now, before `next` runs.
    fn catch_up_before(&mut self, next: &Write) {
        let is_before = |write: &Write| {
            std::ptr::eq(write.operation, next.operation)
                && write.key != next.key
                && (write.input.id, write.input.transaction_id)
                    == (next.input.id, next.input.transaction_id)
                && write.input.params.0 == next.input.params.0
        };
        let Some(index) = self.belated.iter().position(|(_, write)| is_before(write)) else {
            return;
        };
        let (id, write) = self.belated.swap_remove(index);
        let row = self.commands.get(id).map(|command| command.row.clone());
        if let (Some(row), Some(user)) = (row, self.users.get(&write.username).cloned()) {
            if self.run(id, &write, &user, None).status.is_success() {
                self.faults.count_met();
            }
            self.commands.set(id, row);
        }
    }
}

/// The answer 425, for a command that has no stored answer yet. The body is the JSON of the request
/// (`docs/fineract/idempotency.md`, "The same key again").
pub(super) fn echo(write: &Write) -> Reply {
    let body = Json::from(write.input.params.0.clone()).compact();
    Reply::json(StatusCode::TOO_EARLY, body).cached()
}
