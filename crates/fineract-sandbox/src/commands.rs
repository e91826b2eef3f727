//! The rows of Fineract's command table: what was asked under which key, and what came of it
//! (`docs/fineract/idempotency.md`).

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use super::operations::{Operation, Order};
use super::reply::Reply;

/// A key is unique together with action and entity; it is tied to no resource and no body.
type Key = (&'static str, &'static str, String);

/// The longest key that the column holds.
const LONGEST_KEY: usize = 50;

/// A row.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) id: i64,
    pub(super) operation: &'static Operation,
    pub(super) order: Order,
    key: String,
    pub(super) maker: String,
    pub(super) made_at: SystemTime,
    /// Who approved or rejected it, and when.
    pub(super) checked: Option<(String, SystemTime)>,
    pub(super) row: Row,
}

/// A row's state.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// Begun, and not yet committed as such.
    Starting,
    /// Running, or left so by a crash: nobody sweeps it.
    UnderProcessing,
    /// Ended, well or not: the answer that every re-send gets.
    Ended(Reply),
    /// Waiting for a checker.
    AwaitingApproval,
    /// Rejected by one: its key has no other answer than that of a command that waits.
    Rejected,
}

/// What a key leads to.
#[derive(Debug)]
pub(super) enum Begun {
    /// A row was made; the command with this id is to be run.
    Started(i64),
    /// The stored answer.
    Replayed(Reply),
    /// The row is there and has no answer.
    Busy,
    /// The row is there and has no answer before a checker gives one, or for ever.
    Held,
    /// Another call with this key is about to make the row.
    Raced,
    /// The key does not fit; nothing was stored.
    KeyTooLong,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Commands {
    rows: BTreeMap<i64, Command>,
    by_key: HashMap<Key, i64>,
    last_id: i64,
}

impl Commands {
    /// Looks the key up and, where it is new, makes its row.
    pub(super) fn begin(
        &mut self,
        operation: &'static Operation,
        order: &Order,
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
                Row::AwaitingApproval | Row::Rejected => Begun::Held,
            };
        }
        if key.chars().count() > LONGEST_KEY {
            return Begun::KeyTooLong;
        }
        self.last_id += 1;
        let command = Command {
            id: self.last_id,
            operation,
            order: order.clone(),
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

    /// Notes who has approved or rejected the command.
    pub(super) fn note_check(&mut self, id: i64, checker: &str) {
        if let Some(command) = self.rows.get_mut(&id) {
            command.checked = Some((checker.to_owned(), SystemTime::now()));
        }
    }

    /// Takes the row away, as if the command had never been recorded.
    pub(super) fn forget(&mut self, id: i64) {
        if let Some(command) = self.rows.remove(&id) {
            self.by_key.remove(&(
                command.operation.action,
                command.operation.entity,
                command.key,
            ));
        }
    }

    /// Puts an ended row back to "running", as a crash leaves it.
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
