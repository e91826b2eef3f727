//! How large a request's body may be, in bytes.

/// Every body except an upload of a batch.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// An upload of a batch: the largest body of all.
pub(super) const UPLOAD_LIMIT: usize = 32 * 1024 * 1024;
