//! The errors of bulk requests, and the problems of their rows.

use std::sync::Arc;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    http::{access::Refusal, api_error::ApiError, error::ErrorReport},
    operations::Problem,
    store::StoreError,
};

/// How many problems one answer lists at most.
const LISTED: usize = 1_000;

/// Every error of a bulk request.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum BulkError {
    /// An error that other routes have too.
    #[error(transparent)]
    General(#[from] ApiError),
    /// The four headers do not belong to one known client.
    #[error(
        "client_id, client_secret, appIdentifier and organisationId do not belong to one known client."
    )]
    UnknownClient,
    /// The client has no batch with this `reference_id`.
    #[error("No batch found with reference_id '{reference_id}'")]
    BatchNotFound {
        /// The `reference_id`.
        reference_id: String,
    },
    /// The client has used the `reference_id` for another batch.
    #[error("This reference_id was used with another body.")]
    ReferenceIdReused,
    /// The upload is larger than the limit.
    #[error("The body is larger than 32 MiB.")]
    UploadTooLarge,
    /// The upload has too many rows.
    #[error("A batch may have at most {limit} rows.")]
    TooManyRows {
        /// The largest number of rows in a batch.
        limit: usize,
    },
    /// The `Content-Type` of an upload is not supported.
    #[error("Content-Type must be application/json, application/x-ndjson or text/csv.")]
    UnknownUploadType,
    /// The `Content-Type` of a retry is not supported.
    #[error("Content-Type must be application/json or text/csv.")]
    UnknownRetryType,
    /// Rows, or other fields of the request, are not valid.
    #[error("The request is not valid; errors lists the problems.")]
    InvalidRows(RowProblems),
}

impl BulkError {
    /// The HTTP status.
    fn status(&self) -> StatusCode {
        match self {
            Self::General(error) => error.status(),
            Self::UnknownClient => StatusCode::UNAUTHORIZED,
            Self::BatchNotFound { .. } => StatusCode::NOT_FOUND,
            Self::ReferenceIdReused => StatusCode::CONFLICT,
            Self::UploadTooLarge | Self::TooManyRows { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownUploadType | Self::UnknownRetryType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidRows(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    /// The stable name that callers may rely on. `errorCode` shows it without underscores.
    fn code(&self) -> &'static str {
        match self {
            Self::General(error) => error.code(),
            Self::UnknownClient => "unauthorized",
            Self::BatchNotFound { .. } => "batch_not_found",
            Self::ReferenceIdReused => "reference_id_reused",
            Self::UploadTooLarge => "body_too_large",
            Self::TooManyRows { .. } => "too_many_rows",
            Self::UnknownUploadType | Self::UnknownRetryType => "unsupported_media_type",
            Self::InvalidRows(_) => "invalid_request",
        }
    }
}

impl From<Refusal> for BulkError {
    fn from(refusal: Refusal) -> Self {
        if refusal.is_unauthorized() {
            Self::UnknownClient
        } else {
            Self::General(refusal.into())
        }
    }
}

impl From<StoreError> for BulkError {
    fn from(error: StoreError) -> Self {
        Self::General(error.into())
    }
}

impl IntoResponse for BulkError {
    fn into_response(self) -> Response {
        if let Self::General(error) = self {
            return error.into_response();
        }
        let mut report = ErrorReport::new(self.status(), self.code(), &self);
        if matches!(self, Self::UnknownClient) {
            report.challenge = Some("ApiKey header=\"client_secret\"");
        }
        let mut response = report.into_response();
        if let Self::InvalidRows(rows) = self {
            response.extensions_mut().insert(Arc::new(rows));
        }
        response
    }
}

/// The location of a problem in an upload. A problem outside of the rows has no row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    /// The number of the row, from 1.
    pub(super) row: Option<i32>,
    /// The line of the file in which the row begins, from 1; only for CSV and NDJSON.
    pub(super) line: Option<usize>,
}

impl At {
    /// A line outside of the rows.
    pub(super) fn line(line: usize) -> Self {
        Self {
            row: None,
            line: Some(line),
        }
    }
}

/// The problems of an upload.
#[derive(Debug, Default)]
pub(in crate::http) struct RowProblems {
    /// The first problems, with their locations.
    pub(super) listed: Vec<(At, Problem)>,
    /// How many problems are not in the list.
    pub(super) not_listed: usize,
}

impl RowProblems {
    /// Adds the problems of one location.
    pub(super) fn add(&mut self, at: At, problems: Vec<Problem>) {
        for problem in problems {
            if self.listed.len() < LISTED {
                self.listed.push((at, problem));
            } else {
                self.not_listed += 1;
            }
        }
    }

    /// Puts the problems of one location at the front, even if the list has reached its limit.
    pub(super) fn put_first(&mut self, at: At, problems: Vec<Problem>) {
        let problems = problems.into_iter().map(|problem| (at, problem));
        self.listed.splice(0..0, problems);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }
}
