//! The limits for the size of a request's body, in bytes.

/// The limit for every body except the upload of a batch.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// The limit for the upload of a batch. No other body may be larger.
pub(super) const UPLOAD_LIMIT: usize = 32 * 1024 * 1024;
