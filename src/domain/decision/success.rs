//! What a success means: whose it is, and whether it is one.

use serde::Deserialize;

use super::{Answer, Decision, History};
use crate::domain::{Method, Request, ResourceId};

/// What counts of a command's result (`CONTRACT.md` section 4.1); in a replay any key may be null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommandResult {
    client_id: Option<i64>,
    loan_id: Option<i64>,
    resource_id: Option<i64>,
    rollback_transaction: Option<bool>,
    resource_external_id: Option<serde_json::Value>,
}

/// Decides about a 200.
pub(super) fn read_success(answer: &Answer, history: &History<'_>) -> Decision {
    let Ok(result) = serde_json::from_str::<CommandResult>(&answer.body) else {
        return Decision::SameKey {
            why: "unreadable_success",
        };
    };
    if result.rollback_transaction == Some(true) {
        return Decision::AwaitChecker;
    }
    if result.resource_id.is_none() {
        return Decision::SameKey {
            why: "success_without_id",
        };
    }
    match history.request() {
        Some(request) if is_about_another(&result, request) => Decision::Park {
            why: "answer_about_another",
        },
        Some(_) | None => Decision::Succeeded,
    }
}

/// Whether the result is of another client or loan than the request's: keys know neither
/// (`CONTRACT.md` section 12.1).
fn is_about_another(result: &CommandResult, request: &Request) -> bool {
    let path = request.path.split('?').next().unwrap_or_default();
    let mut segments = path.split('/').skip(1);
    let kind = segments.next().unwrap_or_default();
    match segments.next() {
        Some(id) => {
            let answered = if kind == "loans" {
                result.loan_id
            } else {
                result.client_id
            };
            id.parse::<i64>()
                .is_ok_and(|id| answered.is_some_and(|answered| answered != id))
        }
        None if request.method == Method::Post => {
            let answered = result
                .resource_external_id
                .as_ref()
                .and_then(|id| id.as_str());
            external_id(request).is_some_and(|ours| answered.is_some_and(|id| id != ours))
        }
        None => false,
    }
}

fn external_id(request: &Request) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        external_id: Option<String>,
    }
    serde_json::from_str::<Body>(request.body.as_deref()?)
        .ok()?
        .external_id
}

impl Request {
    /// What a success of this command says of the numeric id of what it is about.
    pub fn learned_id(&self, success: &str) -> ResourceId {
        let creates = self.path == "/clients" || self.path == "/loans";
        match self.method {
            Method::Delete => ResourceId::Gone,
            Method::Post if creates => serde_json::from_str::<CommandResult>(success)
                .ok()
                .and_then(|result| result.resource_id)
                .map_or(ResourceId::Unchanged, ResourceId::Known),
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
