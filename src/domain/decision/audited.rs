//! A command as Fineract's audits show it (`docs/fineract/checkers.md`, "What became of it").

use serde::{Deserialize, de::IgnoredAny};

use crate::domain::{FineractCommand, Request};

/// What Fineract's audit shows of a command that was submitted to a checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audit {
    /// Nobody has approved or rejected the command.
    Unchecked,
    /// Somebody has approved or rejected the command. Only the answer to its key shows which of the two.
    Checked,
    /// The audit cannot be seen: the command's number is not known, the permission `READ_AUDIT` is missing, the
    /// command was deleted from the list (a 500), or the number belongs to another command. In these cases nothing is
    /// known about the command, and the command's key must not be sent.
    Unseen,
}

/// What `GET /audits/{commandId}` shows of a command.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audited {
    action_name: String,
    entity_name: String,
    /// The number of the object that the command created or changed. A create has a number only after its approval. For
    /// a repayment, it is the number of the transaction.
    resource_id: Option<i64>,
    loan_id: Option<i64>,
    maker: String,
    checker: Option<IgnoredAny>,
    checked_on_date: Option<IgnoredAny>,
}

impl Audited {
    /// Parses Fineract's answer.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// Whether the audit may belong to this request, sent under one of these users. After a restore of Fineract, the
    /// command's number may belong to another command.
    pub(super) fn is_of(&self, request: &Request, users: &[&str]) -> bool {
        let is = |sent: Option<i64>, shown: Option<i64>| {
            sent.zip(shown).is_none_or(|(sent, shown)| sent == shown)
        };
        let sent = request.loan_id().or(request.client_id());
        let task = (self.action_name.as_str(), self.entity_name.as_str());
        request.command().map(FineractCommand::task) == Some(task)
            && users
                .iter()
                .any(|user| self.maker.eq_ignore_ascii_case(user))
            && is(request.loan_id(), self.loan_id)
            && (self.action_name == "REPAYMENT" || is(sent, self.resource_id))
    }

    /// Whether somebody has approved or rejected the command.
    pub(super) fn is_checked(&self) -> bool {
        self.checker.is_some() || self.checked_on_date.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Method;

    fn request(method: Method, path: &str) -> Request {
        Request {
            method,
            path: path.to_owned(),
            body: None,
        }
    }

    #[test]
    fn an_audit_is_of_the_command_that_was_sent() {
        let audited = |json: &str| Audited::parse(json).unwrap();
        let approve = request(Method::Post, "/loans/9?command=approve");
        let create = request(Method::Post, "/clients");
        let repay = request(Method::Post, "/loans/9/transactions?command=repayment");
        for (sent, json, is_ours) in [
            (
                &approve,
                r#"{"id":7,"actionName":"APPROVE","entityName":"LOAN","resourceId":9,"maker":"Gateway","loanId":9}"#,
                true,
            ),
            (
                &approve,
                r#"{"id":7,"actionName":"APPROVE","entityName":"LOAN","resourceId":9,"maker":"clerk","loanId":9}"#,
                false,
            ),
            (
                &approve,
                r#"{"id":7,"actionName":"APPROVE","entityName":"LOAN","resourceId":10,"maker":"gateway"}"#,
                false,
            ),
            (
                &approve,
                r#"{"id":7,"actionName":"APPROVE","entityName":"LOAN","maker":"gateway","loanId":10}"#,
                false,
            ),
            (
                &approve,
                r#"{"id":7,"actionName":"DISBURSE","entityName":"LOAN","resourceId":9,"maker":"gateway","loanId":9}"#,
                false,
            ),
            (
                &create,
                r#"{"id":7,"actionName":"CREATE","entityName":"CLIENT","maker":"gateway"}"#,
                true,
            ),
            (
                &create,
                r#"{"id":7,"actionName":"CREATE","entityName":"CLIENT","resourceId":42,"maker":"gateway"}"#,
                true,
            ),
            (
                &repay,
                r#"{"id":7,"actionName":"REPAYMENT","entityName":"LOAN","resourceId":21,"maker":"gateway","loanId":9}"#,
                true,
            ),
            (
                &repay,
                r#"{"id":7,"actionName":"REPAYMENT","entityName":"LOAN","resourceId":21,"maker":"gateway","loanId":10}"#,
                false,
            ),
        ] {
            assert_eq!(audited(json).is_of(sent, &["gateway"]), is_ours, "{json}");
        }
    }
}
