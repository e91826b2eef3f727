//! Makers and checkers: commands that wait for a checker, and what a checker can do with these commands
//! (`docs/fineract/checkers.md`).

use std::time::SystemTime;

use axum::http::Method;

use super::books::Context;
use super::call::Call;
use super::commands::{Command, Row};
use super::failure::Failure;
use super::json::{Json, Object, object};
use super::loans::Loan;
use super::operations::Outcome;
use super::reply::Reply;
use super::state::{State, Write};
use super::users::User;

impl State {
    /// Makes the command of a maker wait for a checker. Like Fineract, the sandbox first runs the command and discards
    /// its effect. If the command fails in this run, it is refused and does not wait.
    pub(super) fn submit_to_checker(&mut self, id: i64, write: &Write, user: &User) -> Reply {
        let today = self.today();
        let mut books = self.books.clone();
        let tried = write.operation.run(
            &mut Context {
                books: &mut books,
                release: self.release,
                today,
                user,
            },
            &write.input,
        );
        if let Err(failure) = tried {
            return self.refuse(id, write, &failure);
        }
        self.commands.set(id, Row::AwaitingApproval);
        let resource_id = (write.input.id > 0).then_some(write.input.id);
        Reply::ok(Json::from(Outcome::pending(id, resource_id)).compact())
    }

    /// The waiting commands that this user may check, as `GET /makercheckers` lists them. `action` and `entity`
    /// restrict the list if they are given.
    pub(super) fn pending(
        &self,
        user: &User,
        action: Option<&str>,
        entity: Option<&str>,
    ) -> Vec<Object> {
        let wanted = |wanted: Option<&str>, found: &str| {
            wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        self.commands
            .awaiting()
            .filter(|command| {
                wanted(action, command.operation.action)
                    && wanted(entity, command.operation.entity)
                    && user.may_check(&command.operation.permission())
            })
            .map(|command| self.described(command))
            .collect()
    }

    /// The record of a command as `GET /audits/{id}` shows it. The record does not show whether the checker approved or
    /// rejected the command. If there is no such record, Fineract answers 500.
    pub(super) fn audit(&self, id: i64) -> Result<Object, Failure> {
        let missing =
            || Failure::Unmapped("Incorrect result size: expected 1, actual 0".to_owned());
        let command = self.commands.get(id).ok_or_else(missing)?;
        Ok(self.described(command))
    }

    fn described(&self, command: &Command) -> Object {
        let operation = command.operation;
        let is_loan = operation.entity == "LOAN";
        let resource_id = (command.input.id > 0).then_some(command.input.id);
        let loan = self.books.loans.get(&command.input.id);
        let loan = loan.filter(|_| is_loan);
        let folder = if is_loan { "loans" } else { "clients" };
        let checked = command.checked.as_ref();
        object! {
            "id": command.id,
            "actionName": operation.action,
            "entityName": operation.entity,
            "resourceId": resource_id,
            "maker": command.maker.as_str(),
            "madeOnDate": milliseconds(command.made_at),
            "checker": checked.map(|(checker, _)| checker.as_str()),
            "checkedOnDate": checked.map(|(_, at)| milliseconds(*at)),
            "loanAccountNo": loan.map(Loan::account_no),
            "loanId": loan.map(|loan| loan.id),
            "url": resource_id.map_or_else(|| format!("/{folder}"), |id| format!("/{folder}/{id}")),
        }
    }

    /// Performs the action of a checker on a waiting command: an approval, a rejection, or a deletion from the list.
    /// `None` if the method is neither POST nor DELETE.
    pub(super) fn check(&mut self, call: &Call, id: i64, checker: &User) -> Option<Reply> {
        let verdict = match (&call.method, call.query("command")) {
            (&Method::POST, Some("approve")) => Verdict::Approved,
            (&Method::POST, _) => Verdict::Rejected,
            (&Method::DELETE, _) => Verdict::Deleted,
            _ => return None,
        };
        let waiting = self
            .commands
            .get(id)
            .filter(|command| matches!(command.row, Row::AwaitingApproval));
        let Some(command) = waiting else {
            let failure = Failure::not_found("error.msg.command.id.invalid", vec![id.into()]);
            return Some(failure.reply(&call.path));
        };
        if !checker.may_check(&command.operation.permission()) {
            return Some(Failure::NotAuthorized.reply(&call.path));
        }
        let done = || Reply::ok(Json::from(object! {"commandId": id}).compact());
        Some(match verdict {
            Verdict::Approved => self.approve(id, checker, &call.path),
            Verdict::Rejected => {
                self.commands.set(id, Row::Rejected);
                self.commands.note_check(id, &checker.who.username);
                done()
            }
            Verdict::Deleted => {
                self.commands.forget(id);
                done()
            }
        })
    }

    /// Runs the command under the key of its maker. If the command is refused, the refusal becomes the stored answer,
    /// and the record shows no checker.
    fn approve(&mut self, id: i64, checker: &User, path: &str) -> Reply {
        let Some(command) = self.commands.get(id) else {
            return Failure::NotAuthorized.reply(path);
        };
        let write = Write {
            operation: command.operation,
            input: command.input.clone(),
            key: command.key().to_owned(),
            sent_key: command.key().to_owned(),
            username: checker.who.username.clone(),
            is_json: true,
            path: path.to_owned(),
        };
        let reply = self.run(id, &write, checker, Some(id));
        if reply.status.is_success() {
            self.commands.note_check(id, &checker.who.username);
        }
        reply
    }
}

enum Verdict {
    Approved,
    Rejected,
    Deleted,
}

/// A time as Fineract writes it: milliseconds since the epoch.
fn milliseconds(at: SystemTime) -> i64 {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
