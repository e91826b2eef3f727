//! Fineract's errors, and their form in an answer (`docs/fineract/commands.md`, "The error body" and "Status codes").

use axum::http::StatusCode;

use super::json::{Json, Object, object};
use super::reply::Reply;

/// An entry of `errors`. Its texts for people are generated from the error code, because Fineract's own texts may not
/// be copied.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) code: String,
    pub(super) parameter: Option<String>,
    pub(super) value: Option<String>,
    /// The arguments. A null is written as `{}`, as Fineract does.
    pub(super) args: Vec<Json>,
}

/// An error of a command or read.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// 400: failed checks of the fields or of a state. Contains all errors that were found.
    Invalid(Vec<Item>),
    /// 403: a violated business rule.
    Rule(Item),
    /// 403: a violated database constraint. The code of the item is also the code of the whole error.
    Integrity(Item),
    /// 404: the object does not exist.
    NotFound(Item),
    /// 403: the user does not have the permission. Never stored.
    NotAuthorized,
    /// 400: the body is not JSON.
    UnreadableBody,
    /// 400: the body is JSON but not an object, or an object repeats a key.
    NoObject,
    /// 500: an uncaught exception with this message.
    Unmapped(String),
    /// 409: two commands changed one object at the same time, and Fineract's own retries have failed. In the sandbox,
    /// only a fault causes this error.
    Conflict,
    /// 409: the nightly job has locked the loan. Never stored.
    Locked,
    /// 503: a scheduler job forbids writes. Never stored.
    SchedulerRunning,
}

/// The layout of an error body.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// The layout of the answer to the first request.
    Wire,
    /// The layout of the stored answer, if the first request was not sent as JSON. Every repetition of such a request
    /// receives this layout.
    Stored,
}

impl Item {
    pub(super) fn new(code: impl Into<String>, parameter: &str, args: Vec<Json>) -> Self {
        Self {
            code: code.into(),
            parameter: Some(parameter.to_owned()),
            value: None,
            args,
        }
    }

    fn body(&self, layout: Layout) -> Object {
        let words = words(&self.code);
        let args: Vec<Object> = self
            .args
            .iter()
            .map(|arg| Object::default().with("value", arg.clone()))
            .collect();
        match layout {
            Layout::Wire => object! {
                "defaultUserMessage": words.as_str(),
                "parameterName": self.parameter.as_deref(),
                "value": self.value.as_deref(),
                "developerMessage": words.as_str(),
                "userMessageGlobalisationCode": self.code.as_str(),
                "args": args,
            },
            Layout::Stored => object! {
                "developerMessage": words.as_str(),
                "defaultUserMessage": words.as_str(),
                "userMessageGlobalisationCode": self.code.as_str(),
                "parameterName": self.parameter.as_deref(),
                "value": self.value.as_deref(),
                "args": args,
            },
        }
    }
}

impl Failure {
    pub(super) fn invalid(code: impl Into<String>, parameter: &str, args: Vec<Json>) -> Self {
        Self::Invalid(vec![Item::new(code, parameter, args)])
    }

    pub(super) fn rule(code: &str, args: Vec<Json>) -> Self {
        Self::Rule(Item::new(code, "id", args))
    }

    pub(super) fn not_found(code: &str, args: Vec<Json>) -> Self {
        Self::NotFound(Item::new(code, "id", args))
    }

    /// A violated constraint without a parameter.
    pub(super) fn constraint(code: &str) -> Self {
        Self::Integrity(Item {
            parameter: None,
            ..Item::new(code, "", Vec::new())
        })
    }

    /// Whether the error is stored under the idempotency key (`docs/fineract/idempotency.md`, "What one call does").
    pub(super) fn is_stored(&self) -> bool {
        !matches!(
            self,
            Self::NotAuthorized
                | Self::UnreadableBody
                | Self::NoObject
                | Self::Locked
                | Self::SchedulerRunning
        )
    }

    /// The answer that is sent. Only the answer to an uncaught exception (`Unmapped`) contains `path`.
    pub(super) fn reply(&self, path: &str) -> Reply {
        match self {
            Self::Unmapped(_) => standard(StatusCode::INTERNAL_SERVER_ERROR, path),
            Self::UnreadableBody => Reply::json(
                StatusCode::BAD_REQUEST,
                bare("error.msg.invalid.request.body"),
            ),
            Self::Locked => Reply {
                content_type: None,
                ..self.enveloped(Layout::Wire)
            },
            Self::Invalid(_)
            | Self::Rule(_)
            | Self::Integrity(_)
            | Self::NotFound(_)
            | Self::NotAuthorized
            | Self::NoObject
            | Self::Conflict
            | Self::SchedulerRunning => self.enveloped(Layout::Wire),
        }
    }

    /// The answer that Fineract stores at first. If the request had a JSON Content-Type, Fineract then replaces the
    /// stored answer with the answer that it has sent. Fineract never replaces the stored answer of `Unmapped`.
    pub(super) fn stored(&self, path: &str) -> Reply {
        match self {
            Self::Unmapped(message) => Reply::json(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!(
                    "{{\n  \"Exception\": {}\n}}",
                    Json::from(message.as_str()).compact()
                ),
            ),
            Self::UnreadableBody | Self::Locked => self.reply(path),
            Self::Invalid(_)
            | Self::Rule(_)
            | Self::Integrity(_)
            | Self::NotFound(_)
            | Self::NotAuthorized
            | Self::NoObject
            | Self::Conflict
            | Self::SchedulerRunning => self.enveloped(Layout::Stored),
        }
    }

    fn enveloped(&self, layout: Layout) -> Reply {
        let (status, code, items): (_, &str, Option<&[Item]>) = match self {
            Self::Invalid(items) => (400, "validation.msg.validation.errors.exist", Some(items)),
            Self::Rule(item) => (
                403,
                "validation.msg.domain.rule.violation",
                Some(std::slice::from_ref(item)),
            ),
            Self::Integrity(item) => (403, item.code.as_str(), Some(std::slice::from_ref(item))),
            Self::NotFound(item) => (
                404,
                "error.msg.resource.not.found",
                Some(std::slice::from_ref(item)),
            ),
            Self::NotAuthorized => {
                let item = Item::new("error.msg.not.authorized", "id", Vec::new());
                return envelope(403, &item.code.clone(), Some(&[item]), layout);
            }
            Self::SchedulerRunning => {
                let item = Item::new("error.msg.sheduler.job.currently.running", "id", Vec::new());
                return envelope(
                    503,
                    "error.msg.platform.service.unavailable",
                    Some(&[item]),
                    layout,
                );
            }
            Self::NoObject | Self::UnreadableBody => (400, "error.msg.invalid.json", Some(&[])),
            Self::Conflict => (409, "error.msg.platform.service.lock.conflict", None),
            Self::Locked => (409, "error.msg.loan.locked", None),
            Self::Unmapped(_) => (500, "error.msg.platform.server.side.error", None),
        };
        envelope(status, code, items, layout)
    }
}

fn envelope(status: u16, code: &str, items: Option<&[Item]>, layout: Layout) -> Reply {
    let body = object! {
        "developerMessage": words(code),
        "httpStatusCode": status.to_string(),
        "defaultUserMessage": words(code),
        "userMessageGlobalisationCode": code,
        "errors": items.map(|items| items.iter().map(|item| item.body(layout)).collect::<Vec<_>>()),
    };
    let mut text = Json::from(body).pretty();
    if layout == Layout::Stored {
        text = text.replace("\" : ", "\": ");
    }
    Reply::json(
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        text,
    )
}

/// Spring's own error answer, for a request that reached no resource and for an uncaught exception
/// (`docs/fineract/commands.md`, "Refused before any resource is reached").
pub(super) fn standard(status: StatusCode, path: &str) -> Reply {
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    let body = object! {
        "timestamp": now.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "status": i64::from(status.as_u16()),
        "error": status.canonical_reason(),
        "path": path,
    };
    Reply::json(status, Json::from(body).pretty())
}

fn bare(code: &str) -> String {
    let body = object! {
        "defaultUserMessage": words(code),
        "parameterName": "id",
        "developerMessage": words(code),
        "userMessageGlobalisationCode": code,
        "args": Vec::<Json>::new(),
    };
    Json::from(body).pretty()
}

/// Makes a sentence from an error code. For example, `validation.msg.loan.principal.cannot.be.blank` becomes
/// `Sandbox: loan principal cannot be blank.`
fn words(code: &str) -> String {
    let code = code
        .strip_prefix("validation.msg.")
        .or(code.strip_prefix("error.msg."))
        .unwrap_or(code);
    format!(
        "Sandbox: {}.",
        code.split('.')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    )
}
