//! The statuses and the codes that callers rely on.

use super::*;
use crate::{http::access::NotPermitted, store::CredentialError};

/// Codes are part of the API: changing a line here breaks callers.
#[test]
fn statuses_and_codes_are_stable() {
    let broken = serde_json::from_str::<()>("").unwrap_err();
    for (error, status, code) in [
        (ApiError::BrokenJson(broken), 400, "broken_json"),
        (
            ApiError::InvalidIdempotencyKey,
            400,
            "invalid_idempotency_key",
        ),
        (ApiError::MalformedTrackingId, 400, "malformed_tracking_id"),
        (ApiError::InvalidQuery(Vec::new()), 400, "invalid_query"),
        (ApiError::Unauthorized, 401, "unauthorized"),
        (ApiError::Forbidden("ops"), 403, "forbidden"),
        (ApiError::UnknownTrackingId, 404, "unknown_tracking_id"),
        (ApiError::UnknownRoute, 404, "unknown_route"),
        (ApiError::UnknownRepair, 404, "unknown_repair"),
        (ApiError::TooManyMatch(String::new()), 409, "too_many_match"),
        (Unfit::NotOnHold.into(), 409, "operation_not_on_hold"),
        (ApiError::MethodNotAllowed, 405, "method_not_allowed"),
        (ApiError::EventsDeleted { oldest: 1 }, 410, "events_deleted"),
        (
            ApiError::Dropped {
                on: NaiveDate::default(),
            },
            410,
            "operation_dropped",
        ),
        (ApiError::TooManyStreams, 503, "too_many_streams"),
        (ApiError::BodyTooSlow, 408, "body_too_slow"),
        (Unfit::Running.into(), 409, "operation_running"),
        (Unfit::UnderWay.into(), 409, "operation_under_way"),
        (Unfit::Sent.into(), 409, "operation_sent"),
        (Unfit::Ended.into(), 409, "operation_ended"),
        (Unfit::Parked.into(), 409, "operation_parked"),
        (Unfit::NotParked.into(), 409, "operation_not_parked"),
        (Unfit::Expired.into(), 409, "operation_expired"),
        (Unfit::OtherEpoch.into(), 409, "other_epoch"),
        (Unfit::Erased.into(), 409, "erased"),
        (ApiError::UnknownLane, 404, "unknown_lane"),
        (Unfit::Changed.into(), 409, "operation_changed"),
        (Unfit::NoHold.into(), 409, "no_hold"),
        (ApiError::BodyTooLarge { limit: 1 }, 413, "body_too_large"),
        (ApiError::NotJson, 415, "not_json"),
        (ApiError::EncodedBody, 415, "encoded_body"),
        (ApiError::Invalid(Vec::new()), 422, "invalid_request"),
        (
            ApiError::IdempotencyKeyReused,
            422,
            "idempotency_key_reused",
        ),
        (ApiError::Overloaded, 429, "too_much_waiting"),
        (ApiError::Panicked, 500, "internal_error"),
        (
            ApiError::Unavailable(StoreError::Closed),
            503,
            "database_unavailable",
        ),
    ] {
        assert_eq!((error.status().as_u16(), error.code()), (status, code));
    }
}

/// As the others.
#[test]
fn statuses_and_codes_about_credentials_are_stable() {
    let errors: [(ApiError, u16, &str); 8] = [
        (AccessError::ForeignAddress.into(), 403, "foreign_address"),
        (
            AccessError::NotPermitted(NotPermitted::Type).into(),
            403,
            "type_not_permitted",
        ),
        (
            AccessError::NotPermitted(NotPermitted::Lender).into(),
            403,
            "lender_not_permitted",
        ),
        (AccessError::RateUsedUp(1).into(), 429, "rate_used_up"),
        (
            AccessError::TooManyWrongSecrets(1).into(),
            429,
            "too_many_wrong_secrets",
        ),
        (CredentialError::Unknown.into(), 404, "unknown_key"),
        (CredentialError::NameInUse.into(), 409, "key_name_in_use"),
        (CredentialError::Expired.into(), 409, "key_expired"),
    ];
    for (error, status, code) in errors {
        assert_eq!((error.status().as_u16(), error.code()), (status, code));
    }
}
