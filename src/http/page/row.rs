//! An operation as a row of a table.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    format::{Time, duration, shown_state, subject},
    reasons::reason,
};
use crate::store::Listed;

/// A row of a list, a lane or a batch.
pub(super) struct Row {
    pub(super) id: String,
    /// The state as its class.
    pub(super) class: String,
    /// The state in words.
    pub(super) state: String,
    pub(super) operation_type: String,
    /// The external id of the client or loan.
    pub(super) subject: String,
    pub(super) lane: String,
    pub(super) lender: String,
    pub(super) why: String,
    pub(super) accepted: Time,
    /// From acceptance to the end, or to now if it has not ended.
    pub(super) took: String,
}

impl Row {
    /// The row of an operation.
    pub(super) fn new(listed: Listed, now: DateTime<Utc>, zone: Tz) -> Self {
        let class = shown_state(&listed.state, listed.on_hold, listed.ended_at.is_some());
        let why = match (&listed.reason_code, &listed.reason) {
            (_, Some(reason)) if class == "on_hold" => format!("On hold: {reason}"),
            (Some(code), _) => short(code),
            (None, _) => String::new(),
        };
        let took = took(&listed, now);
        Self {
            id: listed.id.to_string(),
            class: class.to_owned(),
            state: class.replace('_', " "),
            subject: subject(&listed.lane).to_owned(),
            lender: listed.lender.unwrap_or_default(),
            why,
            accepted: Time::day(listed.accepted_at, zone),
            took,
            operation_type: listed.operation_type,
            lane: listed.lane,
        }
    }
}

fn took(listed: &Listed, now: DateTime<Utc>) -> String {
    let took = duration(listed.ended_at.unwrap_or(now) - listed.accepted_at);
    match listed.ended_at {
        Some(_) => took,
        None => format!("{took} so far"),
    }
}

/// The first sentence about a reason, or what its code says.
pub(super) fn short(code: &str) -> String {
    let Some(known) = reason(code) else {
        return code_in_words(code);
    };
    let first = known.why.split(". ").next().unwrap_or(known.why);
    first.trim_end_matches('.').to_owned()
}

/// What a code says: one of Fineract, such as `error.msg.client.duplicate.externalId`, or one of the gateway for which
/// the page has no sentence.
fn code_in_words(code: &str) -> String {
    match code.split_once(".msg.") {
        Some((_, words)) => format!("Fineract refused it: {}", words.replace('.', " ")),
        None => code.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_sentence() {
        for (code, expected) in [
            (
                "evidence_cannot_tell",
                "Fineract does not show whether the command took effect",
            ),
            (
                "error.msg.client.duplicate.externalId",
                "Fineract refused it: client duplicate externalId",
            ),
            (
                "validation.msg.loans.productId.cannot.be.blank",
                "Fineract refused it: loans productId cannot be blank",
            ),
            ("exceeds_approved_principal", "exceeds approved principal"),
        ] {
            assert_eq!(short(code), expected);
        }
    }
}
