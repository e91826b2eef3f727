//! The release of Fineract that is stood in for, and how release 1.10.1 words its answers
//! (`docs/fineract/release-1.10.1.md`).

use std::str::FromStr;

use super::call::Call;
use super::json::{Json, Object};
use super::reply::Reply;

/// A release of Fineract. What the sandbox knows of it was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// The develop branch of October 2024, on which everything was recorded.
    #[default]
    Develop,
    /// The tag of August 2024; where nothing is known of it, the same as [`Release::Develop`].
    V1_10_1,
}

/// What 1.10.1 does not show of loans and their transactions.
const NOT_YET_SHOWN: &[&str] = &[
    "totalInterestPaymentWaiver",
    "totalInterestRefund",
    "totalUnpaidPayableDueInterest",
    "totalUnpaidPayableNotDueInterest",
    "interestPaymentWaiver",
    "accrualActivity",
    "interestRefund",
    "delinquentPrincipal",
    "delinquentInterest",
    "delinquentFee",
    "delinquentPenalty",
];

/// The order in which 1.10.1 writes an entry of `errors`.
const OF_AN_ERROR: &[&str] = &[
    "developerMessage",
    "defaultUserMessage",
    "userMessageGlobalisationCode",
    "parameterName",
    "value",
    "args",
];

/// The order in which 1.10.1 writes the changes of an approval.
const OF_AN_APPROVAL: &[&str] = &["status", "locale", "dateFormat", "approvedOnDate"];

impl FromStr for Release {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "develop" => Ok(Self::Develop),
            "1.10.1" => Ok(Self::V1_10_1),
            _ => Err("known are develop and 1.10.1"),
        }
    }
}

impl Release {
    pub(super) fn is_1_10_1(self) -> bool {
        self == Self::V1_10_1
    }

    /// The version that `/actuator/info` tells.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Develop => "1.11.0-SNAPSHOT",
            Self::V1_10_1 => "1.10.1",
        }
    }

    /// The reply as this release words it; every reply is made as the develop branch does.
    pub(super) fn worded(self, call: &Call, reply: Reply) -> Reply {
        match (self, Json::parse(&reply.body)) {
            (Self::V1_10_1, Ok(Json::Object(body))) => {
                let body = match call.query("command") {
                    _ if !reply.status.is_success() => Json::from(with_errors(body)).pretty(),
                    Some(command) => Json::from(with_changes(body, command)).compact(),
                    None => Json::from(shown(&body)).compact(),
                };
                Reply { body, ..reply }
            }
            (Self::Develop | Self::V1_10_1, _) => reply,
        }
    }
}

fn with_errors(body: Object) -> Object {
    let listed = body.get("errors").and_then(Json::as_list);
    let errors: Option<Vec<Json>> = listed.map(|errors| {
        let reordered = |error: &Json| match error {
            Json::Object(error) => error.clone().beginning_with(OF_AN_ERROR).into(),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => {
                error.clone()
            }
        };
        errors.iter().map(reordered).collect()
    });
    body.with("errors", errors)
}

fn with_changes(body: Object, command: &str) -> Object {
    let changes = body.get("changes").and_then(Json::as_object).cloned();
    let changes = changes.map(|changes| match command {
        "approve" => changes.beginning_with(OF_AN_APPROVAL),
        "disburse" | "undoapproval" | "undodisbursal" => changes.without(&["note"]),
        _ => changes,
    });
    body.with("changes", changes)
}

/// A read without what is not shown yet, and without an empty list of transactions.
fn shown(body: &Object) -> Object {
    let members = body
        .iter()
        .filter(|(key, value)| {
            let is_empty = value.as_list().is_some_and(<[Json]>::is_empty);
            !NOT_YET_SHOWN.contains(key) && (*key != "transactions" || !is_empty)
        })
        .map(|(key, value)| (key, shown_value(value)));
    members.fold(Object::default(), |all, (key, value)| {
        all.with_null(key, value)
    })
}

fn shown_value(value: &Json) -> Json {
    match value {
        Json::Object(object) => shown(object).into(),
        Json::List(items) => Json::List(items.iter().map(shown_value).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => value.clone(),
    }
}
