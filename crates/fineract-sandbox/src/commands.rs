//! Fineract's table of commands. Each record contains an idempotency key, the command that was requested under this
//! key, and the result (`docs/fineract/idempotency.md`).

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use super::operations::{Input, Operation};
use super::reply::Reply;

/// Action, entity and idempotency key. No two records have the same three values. The client, the loan and the body do
/// not matter.
type Key = (&'static str, &'static str, String);

/// The maximum length of a key, in characters.
const LONGEST_KEY: usize = 50;

/// A record of the table.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) id: i64,
    pub(super) operation: &'static Operation,
    pub(super) input: Input,
    key: String,
    pub(super) maker: String,
    pub(super) made_at: SystemTime,
    /// The user who approved or rejected the command, and the time of this decision.
    pub(super) checked: Option<(String, SystemTime)>,
    pub(super) row: Row,
}

/// The state of a record.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// The record is not committed yet. Another call with the same key does not find this record. That call fails when
    /// it inserts a record of its own.
    Starting,
    /// The command is running, or a crash has interrupted it. Fineract never removes such a record.
    UnderProcessing,
    /// The command has ended, with or without success. Every repetition receives this stored answer.
    Ended(Reply),
    /// The command waits for a checker.
    AwaitingApproval,
    /// A checker has rejected the command. A repetition receives the same answer as a repetition of a waiting command.
    Rejected,
}

/// The result of looking up a key.
#[derive(Debug)]
pub(super) enum Begun {
    /// A new record was made. The command with this id must be run.
    Started(i64),
    /// The command of the key has ended, with this stored answer.
    Replayed(Reply),
    /// The command of the key has no answer: it is running, or a crash has interrupted it.
    Busy,
    /// The command of the key waits for a checker, or a checker has rejected it.
    WaitsForChecker,
    /// Another call has made a record for the key, but not committed it yet.
    Raced,
    /// The key is too long. Nothing was stored.
    KeyTooLong,
}

/// The table of commands.
#[derive(Debug, Default)]
pub(super) struct Commands {
    rows: BTreeMap<i64, Command>,
    by_key: HashMap<Key, i64>,
    last_id: i64,
}

impl Commands {
    /// Looks up the key. Makes a record if there is none.
    pub(super) fn begin(
        &mut self,
        operation: &'static Operation,
        input: &Input,
        key: &str,
        maker: &str,
    ) -> Begun {
        let full_key = (operation.action, operation.entity, key.to_owned());
        let known = self.by_key.get(&full_key).and_then(|id| self.rows.get(id));
        if let Some(command) = known {
            return match &command.row {
                Row::Ended(reply) => Begun::Replayed(reply.clone().cached()),
                Row::Starting => Begun::Raced,
                Row::UnderProcessing => Begun::Busy,
                Row::AwaitingApproval | Row::Rejected => Begun::WaitsForChecker,
            };
        }
        if key.chars().count() > LONGEST_KEY {
            return Begun::KeyTooLong;
        }
        self.last_id += 1;
        let command = Command {
            id: self.last_id,
            operation,
            input: input.clone(),
            key: key.to_owned(),
            maker: maker.to_owned(),
            made_at: SystemTime::now(),
            checked: None,
            row: Row::UnderProcessing,
        };
        self.by_key.insert(full_key, command.id);
        self.rows.insert(command.id, command);
        Begun::Started(self.last_id)
    }

    pub(super) fn get(&self, id: i64) -> Option<&Command> {
        self.rows.get(&id)
    }

    pub(super) fn set(&mut self, id: i64, row: Row) {
        if let Some(command) = self.rows.get_mut(&id) {
            command.row = row;
        }
    }

    /// Records who has approved or rejected the command.
    pub(super) fn note_check(&mut self, id: i64, checker: &str) {
        if let Some(command) = self.rows.get_mut(&id) {
            command.checked = Some((checker.to_owned(), SystemTime::now()));
        }
    }

    /// Removes the record. Afterwards the key is as if it had never been used.
    pub(super) fn forget(&mut self, id: i64) {
        if let Some(command) = self.rows.remove(&id) {
            self.by_key.remove(&(
                command.operation.action,
                command.operation.entity,
                command.key,
            ));
        }
    }

    /// Sets a record to [`Row::UnderProcessing`], the state in which a crash of Fineract leaves it. Returns `false` if
    /// there is no such record.
    pub(super) fn strand(&mut self, action: &str, entity: &str, key: &str) -> bool {
        let found = self.rows.values_mut().find(|command| {
            command.operation.action == action
                && command.operation.entity == entity
                && command.key == key
        });
        found
            .map(|command| command.row = Row::UnderProcessing)
            .is_some()
    }

    /// The commands that wait for a checker.
    pub(super) fn awaiting(&self) -> impl Iterator<Item = &Command> {
        self.rows
            .values()
            .filter(|command| matches!(command.row, Row::AwaitingApproval))
    }
}

impl Command {
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}
