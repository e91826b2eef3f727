//! The errors of each route of bulk, for the OpenAPI document.

use super::error::{BulkError, RowProblems};
use crate::http::api_error::ApiError;

/// The errors of a request about a batch.
pub(in crate::http) fn of_batch() -> Vec<BulkError> {
    vec![
        BulkError::UnknownClient,
        BulkError::BatchNotFound {
            reference_id: "batch-xyz".to_owned(),
        },
    ]
}

/// The errors of a body that may be large.
fn of_large_body() -> Vec<BulkError> {
    let general = [
        ApiError::BrokenJson(serde::de::Error::custom("")),
        ApiError::UnreadableBody("".into()),
        ApiError::BodyTooSlow,
        ApiError::EncodedBody,
    ];
    let own = [
        BulkError::UploadTooLarge,
        BulkError::InvalidRows(RowProblems::default()),
    ];
    general
        .into_iter()
        .map(BulkError::General)
        .chain(own)
        .collect()
}

/// The errors of an upload.
pub(in crate::http) fn of_upload() -> Vec<BulkError> {
    let mut errors = of_large_body();
    errors.extend([
        BulkError::UnknownClient,
        BulkError::ReferenceIdReused,
        BulkError::TooManyRows { limit: 10_000 },
        BulkError::UnknownUploadType,
    ]);
    errors
}

/// The errors of a retry.
pub(in crate::http) fn of_retry() -> Vec<BulkError> {
    let mut errors = of_large_body();
    errors.extend(of_batch());
    errors.push(BulkError::UnknownRetryType);
    errors
}
