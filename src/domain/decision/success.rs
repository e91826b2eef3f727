//! Interprets successes: which client, loan or payment a success is about, and whether it is complete.

use serde::Deserialize;

use crate::domain::{Answer, Method, ReferentKind, Request, ResourceId};

/// The fields of a command's result that the gateway uses (`docs/fineract/commands.md`, "The result body"). In a stored
/// answer, any of them may be null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommandResult {
    command_id: Option<i64>,
    client_id: Option<i64>,
    loan_id: Option<i64>,
    resource_id: Option<i64>,
    rollback_transaction: Option<bool>,
    /// In a maker's answer, the external ids are empty objects (`docs/fineract/checkers.md`, "A command that waits
    /// for a checker").
    resource_external_id: Option<serde_json::Value>,
    sub_resource_external_id: Option<serde_json::Value>,
}

impl CommandResult {
    /// The result in the body of a 200, if it can be parsed.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        serde_json::from_str(&answer.body).ok()
    }

    /// Whether Fineract rolled the command back until a checker approves it.
    pub(super) fn awaits_checker(&self) -> bool {
        self.rollback_transaction == Some(true)
    }

    /// Whether the result contains the number of the created or changed object, as every success does.
    pub(super) fn names_resource(&self) -> bool {
        self.resource_id.is_some()
    }
}

/// The number of the command that waits for a checker, from the answer to the maker.
pub(super) fn pending_command(answer: &Answer) -> Option<i64> {
    CommandResult::of(answer)
        .filter(|result| result.rollback_transaction == Some(true))
        .and_then(|result| result.command_id)
}

/// The fields of a command's body that the gateway needs to interpret the result.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Command {
    external_id: Option<String>,
    client_id: Option<i64>,
}

impl Command {
    fn of(request: &Request) -> Self {
        let body = request.body.as_deref().unwrap_or_default();
        serde_json::from_str(body).unwrap_or_default()
    }
}

/// Whether the result is about another client, loan or payment than the request. This is possible because a key does
/// not include the client, loan or payment (`docs/fineract/idempotency.md`, "What a key covers"). Fields that the
/// result omits do not count as different.
pub(super) fn is_about_another(result: &CommandResult, request: &Request) -> bool {
    let command = Command::of(request);
    let text = |id: &Option<serde_json::Value>| {
        let text = id.as_ref().and_then(serde_json::Value::as_str);
        text.map(str::to_owned)
    };
    let differs = |sent: Option<String>, answered: Option<String>| {
        sent.zip(answered)
            .is_some_and(|(sent, answered)| sent != answered)
    };
    let other = |sent: Option<i64>, answered: Option<i64>| {
        sent.zip(answered)
            .is_some_and(|(sent, answered)| sent != answered)
    };
    match (request.loan_id(), request.client_id()) {
        (None, None) => {
            differs(command.external_id, text(&result.resource_external_id))
                || other(command.client_id, result.client_id)
        }
        (loan @ Some(_), _) => {
            let paid = request.method == Method::Post;
            other(loan, result.loan_id)
                || (paid && differs(command.external_id, text(&result.sub_resource_external_id)))
        }
        (None, client) => other(client, result.client_id),
    }
}

impl Request {
    /// The client or loan that the command addressed by number, and the external id that the success shows for it.
    /// `None` if the success shows no external id. Also `None` for a transaction, because its answer shows the external
    /// id of the transaction.
    pub fn answered_name(&self, success: &str) -> Option<(ReferentKind, i64, String)> {
        let result: CommandResult = serde_json::from_str(success).ok()?;
        let name = result.resource_external_id?.as_str()?.to_owned();
        match (self.loan_id(), self.client_id()) {
            (Some(_), _) if self.path.contains("/transactions") => None,
            (Some(loan), _) => Some((ReferentKind::Loan, loan, name)),
            (None, client) => Some((ReferentKind::Client, client?, name)),
        }
    }

    /// What a success of this command shows about the number of its client or loan.
    pub fn learned_id(&self, success: &str) -> ResourceId {
        let creates = self.loan_id().or(self.client_id()).is_none();
        match self.method {
            Method::Delete => ResourceId::Gone,
            Method::Post if creates => serde_json::from_str::<CommandResult>(success)
                .ok()
                .and_then(|result| result.resource_id)
                .map_or(ResourceId::Unchanged, |number| ResourceId::Known {
                    number,
                    external_id: Command::of(self).external_id,
                }),
            Method::Get | Method::Post | Method::Put => ResourceId::Unchanged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, path: &str) -> Request {
        Request {
            method,
            path: path.to_owned(),
            body: None,
        }
    }

    #[test]
    fn a_transaction_is_its_loans_and_its_number_is_no_loans() {
        let repaid = r#"{"officeId":1,"clientId":42,"loanId":9,"resourceId":21}"#;
        let result = serde_json::from_str::<CommandResult>(repaid).unwrap();
        for (path, is_another) in [
            ("/loans/9/transactions?command=repayment", false),
            ("/loans/21/transactions?command=repayment", true),
            ("/loans/9?command=undodisbursal", false),
            ("/loans/10?command=reject", true),
        ] {
            let request = request(Method::Post, path);
            assert_eq!(is_about_another(&result, &request), is_another, "{path}");
            assert_eq!(request.learned_id(repaid), ResourceId::Unchanged, "{path}");
        }
    }
}
