//! The errors of a route. Statuses, codes, sentences and headers are those of the errors themselves.

use std::{collections::BTreeMap, sync::Arc};

use axum::response::IntoResponse;
use serde::de::Error as _;
use serde_json::{Value, json};

use super::schemas::Schemas;
use crate::{
    http::{
        access::AccessError,
        api_error::ApiError,
        body::BODY_LIMIT,
        bulk::{BulkErrorBody, without_underscores},
        error::ErrorReport,
        problem::ProblemBody,
        track::ProcessingBody,
        transactions::TransactionErrorBody,
    },
    store::StoreError,
};

/// The form in which a group of routes renders its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A problem (RFC 9457).
    Problem,
    /// The form of track: a temporary error is an operation that has not ended, any other error is a problem.
    Track,
    /// The envelope of bulk.
    Bulk,
    /// The envelope of transactions.
    Transaction,
}

/// The errors of one status.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// One line for each code: the code and its sentence.
    pub(super) description: String,
    /// The headers of the answer.
    pub(super) headers: Vec<&'static str>,
    /// The media type and the schema of the body.
    pub(super) content: (&'static str, Value),
}

/// What an error reports.
pub(super) fn report(error: impl IntoResponse) -> Option<Arc<ErrorReport>> {
    ErrorReport::of(&error.into_response())
}

/// The errors of every route that has a token and reads the database.
pub(super) fn common() -> Vec<ApiError> {
    vec![
        ApiError::Unauthorized,
        ApiError::Panicked,
        ApiError::Unavailable(StoreError::Closed),
        AccessError::ForeignAddress.into(),
        AccessError::RateUsedUp(1).into(),
        AccessError::TooManyWrongSecrets(1).into(),
    ]
}

/// The errors of every route with a JSON body.
pub(super) fn of_body() -> Vec<ApiError> {
    vec![
        ApiError::BrokenJson(serde_json::Error::custom("")),
        ApiError::UnreadableBody("".into()),
        ApiError::BodyTooSlow,
        ApiError::BodyTooLarge { limit: BODY_LIMIT },
        ApiError::NotJson,
        ApiError::EncodedBody,
        ApiError::Invalid(Vec::new()),
    ]
}

/// Groups errors by their statuses.
pub(super) fn by_status(
    reports: &[Arc<ErrorReport>],
    form: Form,
    schemas: &mut Schemas<'_>,
) -> BTreeMap<u16, Refusal> {
    let mut grouped: BTreeMap<u16, Vec<&Arc<ErrorReport>>> = BTreeMap::new();
    for report in reports {
        grouped
            .entry(report.status.as_u16())
            .or_default()
            .push(report);
    }
    let refusals = grouped.into_iter();
    refusals
        .map(|(status, reports)| (status, Refusal::of(&reports, form, schemas)))
        .collect()
}

impl Refusal {
    fn of(reports: &[&Arc<ErrorReport>], form: Form, schemas: &mut Schemas<'_>) -> Self {
        let codes: Vec<String> = reports
            .iter()
            .map(|report| form.code(report.code))
            .collect();
        let lines = codes.iter().zip(reports);
        let lines = lines.map(|(code, report)| format!("- `{code}`: {}", report.detail));
        let is_temporary = reports.iter().all(|report| report.is_temporary());
        let mut headers = Vec::new();
        if reports.iter().any(|report| report.retry_after.is_some())
            || (is_temporary && form == Form::Track)
        {
            headers.push("Retry-After");
        }
        if reports.iter().any(|report| report.challenge.is_some()) {
            headers.push("WWW-Authenticate");
        }
        Self {
            description: lines.collect::<Vec<_>>().join("\n"),
            headers,
            content: form.body(&codes, is_temporary, schemas),
        }
    }
}

impl Form {
    fn code(self, code: &str) -> String {
        match self {
            Self::Problem | Self::Track | Self::Transaction => code.to_owned(),
            Self::Bulk => without_underscores(code),
        }
    }

    /// The media type and the schema of a body with one of these codes.
    fn body(
        self,
        codes: &[String],
        is_temporary: bool,
        schemas: &mut Schemas<'_>,
    ) -> (&'static str, Value) {
        let code = json!({ "enum": codes });
        let (media_type, body, member) = match self {
            Self::Track if is_temporary => {
                return ("application/json", schemas.of::<ProcessingBody>());
            }
            Self::Problem | Self::Track => (
                "application/problem+json",
                schemas.of::<ProblemBody<'static>>(),
                json!({ "code": code }),
            ),
            Self::Bulk => (
                "application/json",
                schemas.of::<BulkErrorBody<'static>>(),
                json!({ "errorCode": code }),
            ),
            Self::Transaction => (
                "application/json",
                schemas.of::<TransactionErrorBody<'static>>(),
                json!({ "error": { "properties": { "code": code } } }),
            ),
        };
        (
            media_type,
            json!({ "allOf": [body, { "properties": member }] }),
        )
    }
}
