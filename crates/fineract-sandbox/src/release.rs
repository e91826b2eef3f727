//! The releases of Fineract whose answers the sandbox can give, and how the answers of release 1.10.1 differ
//! (`docs/fineract/release-1.10.1.md`).

use std::str::FromStr;

use super::call::Call;
use super::json::{Json, Object};
use super::reply::Reply;

/// A release of Fineract whose answers were recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// The develop branch of October 2024. All scenarios were recorded from it.
    #[default]
    Develop,
    /// Release 1.10.1 of August 2024. Only four scenarios were recorded from it. In everything else, the sandbox
    /// behaves as for [`Release::Develop`].
    V1_10_1,
}

/// The attributes of loans and their transactions that 1.10.1 does not have.
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

/// The order of the keys in an entry of `errors` in 1.10.1.
const OF_AN_ERROR: &[&str] = &[
    "developerMessage",
    "defaultUserMessage",
    "userMessageGlobalisationCode",
    "parameterName",
    "value",
    "args",
];

/// The order of the keys in the `changes` of an approval in 1.10.1.
const OF_AN_APPROVAL: &[&str] = &["status", "locale", "dateFormat", "approvedOnDate"];

impl FromStr for Release {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "develop" => Ok(Self::Develop),
            "1.10.1" => Ok(Self::V1_10_1),
            _ => Err("the releases are develop and 1.10.1"),
        }
    }
}

impl Release {
    pub(super) fn is_1_10_1(self) -> bool {
        self == Self::V1_10_1
    }

    /// The version in `/actuator/info`.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Develop => "1.11.0-SNAPSHOT",
            Self::V1_10_1 => "1.10.1",
        }
    }

    /// Converts a reply to the form of this release. Every reply is first made in the form of the develop branch.
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

/// The answer to a read, without the attributes that 1.10.1 does not have, and without an empty list of transactions.
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
