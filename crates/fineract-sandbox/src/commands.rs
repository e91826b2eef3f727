//! Fineract's table of commands: what was requested under which key, and the result (`docs/fineract/idempotency.md`).

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use super::operations::{Input, Operation};
use super::reply::Reply;

/// An idempotency key is unique together with action and entity. It is not bound to a resource or a body.
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
    /// Who approved or rejected it, and when.
    pub(super) checked: Option<(String, SystemTime)>,
    pub(super) row: Row,
}

/// The state of a record.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// Begun, but this is not committed yet, so that another call with the key does not see it.
    Starting,
    /// Running, or interrupted by a crash. Fineract never cleans such a record up.
    UnderProcessing,
    /// Ended, with or without success. The stored answer is returned for every repetition.
    Ended(Reply),
    /// Waiting for a checker.
    AwaitingApproval,
    /// Rejected by a checker. Its key gets the same answer as that of a waiting command.
    Rejected,
}

/// The result of looking up a key.
#[derive(Debug)]
pub(super) enum Begun {
    /// A new record was made. The command with this id must be run.
    Started(i64),
    /// The key has this stored answer.
    Replayed(Reply),
    /// A record exists without an answer, because its command is running.
    Busy,
    /// A record exists that waits for a checker or was rejected by one.
    WaitsForChecker,
    /// Another call with this key is just making the record.
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
    /// Looks the key up, and makes a record if it is new.
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

    /// Removes the record, as if the command had never been recorded.
    pub(super) fn forget(&mut self, id: i64) {
        if let Some(command) = self.rows.remove(&id) {
            self.by_key.remove(&(
                command.operation.action,
                command.operation.entity,
                command.key,
            ));
        }
    }

    /// Marks an ended record as running again, as after a crash. Returns whether it exists.
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
