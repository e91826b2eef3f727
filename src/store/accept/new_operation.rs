//! The operation that is to be accepted, and the result of accepting it.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use crate::{
    domain::{Checked, OperationId, OperationType, TraceParent, TrackingId},
    store::body_digest::BodyDigest,
};

/// A checked operation that is to be accepted.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// The id, generated before the operation is accepted.
    pub id: OperationId,
    /// The operation type.
    pub operation_type: OperationType,
    /// The payload, byte for byte.
    pub payload: Box<RawValue>,
    /// What the check of the payload determined: lanes, lender, reference.
    pub checked: Checked,
    /// The name of the caller's token.
    pub caller: String,
    /// The caller's own idempotency key.
    pub caller_key: Option<CallerKey>,
    /// The failed operation that this operation runs again.
    pub retry_of: Option<OperationId>,
    /// The time until which the operation may be sent.
    pub expires_at: Option<DateTime<Utc>>,
    /// The caller's place in its trace.
    pub trace_parent: Option<TraceParent>,
}

/// A caller's own idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerKey {
    /// The value of the header `Idempotency-Key`.
    pub key: String,
    /// The digest of the request's body.
    pub digest: BodyDigest,
}

/// The result of a request to accept an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The operation was committed.
    New,
    /// The caller has already used the key for this operation, with the same body.
    Replayed(TrackingId),
    /// The caller has already used the key for an operation with another body.
    KeyReused,
}
