//! Reads the ids, references and phone numbers in a payload, even if the rest of the payload is invalid. A mistyped id
//! would change the wrong client or loan, so bulk uploads are checked for suspicious ids, references and phone numbers.

use serde_json::value::RawValue;

use super::{fields::Entries, rules};
use crate::domain::{Lane, OperationType};

/// What the value of a field identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A client or a loan.
    ClientOrLoan,
    /// A payment, by its reference (UTR).
    Payment,
    /// A person's phone number, which is unique among Fineract's clients.
    Phone,
}

const FIELDS: [(&str, Named); 5] = [
    ("externalId", Named::ClientOrLoan),
    ("clientId", Named::ClientOrLoan),
    ("external_loan_id", Named::ClientOrLoan),
    ("utr_payment_id", Named::Payment),
    ("mobileNo", Named::Phone),
];

/// What the field with this key identifies, if anything.
pub fn named_by(key: &str) -> Option<Named> {
    let found = FIELDS.iter().find(|(name, _)| *name == key);
    found.map(|(_, named)| *named)
}

/// The keys and texts of the fields that identify a client, loan, payment or phone, even if the rest of the payload is
/// invalid.
pub fn names_of(payload: &RawValue) -> Vec<(String, String)> {
    let Ok(Entries(entries)) = serde_json::from_str(payload.get()) else {
        return Vec::new();
    };
    let named = entries
        .into_iter()
        .filter(|(key, _)| named_by(key).is_some());
    named
        .filter_map(|(key, value)| Some((key, serde_json::from_str(value.get()).ok()?)))
        .collect()
}

/// The lane that an operation of this type would write, if its payload contains a valid id. Bulk uploads need the lane
/// of a refused row as well, because later rows may depend on the refused row.
pub fn named_lane(operation_type: OperationType, payload: &RawValue) -> Option<Lane> {
    let Entries(entries) = serde_json::from_str(payload.get()).ok()?;
    let id = |key: &str| {
        let (_, value) = entries.iter().find(|(name, _)| name == key)?;
        (rules::external_id().check)(value).ok()
    };
    if operation_type.is_about_client() {
        return id("externalId").map(|id| Lane::client(&id));
    }
    // The types that create or change an application use `externalId`, all others `external_loan_id`.
    id("external_loan_id")
        .or_else(|| id("externalId"))
        .map(|id| Lane::loan(&id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::testing::{deployment, raw};

    #[test]
    fn ids_references_and_phones_are_found_in_any_payload() {
        let payload =
            raw(r#"{"externalId":"0007","clientId":7,"principal":-1,"mobileNo":"+91","x":"y"}"#);
        let found = names_of(&payload);
        let found: Vec<_> = found
            .iter()
            .map(|(key, text)| (key.as_str(), text.as_str()))
            .collect();
        assert_eq!(found, [("externalId", "0007"), ("mobileNo", "+91")]);
        assert_eq!(names_of(&raw("[]")), []);
    }

    #[test]
    fn every_such_field_belongs_to_a_type() {
        for (key, _) in FIELDS {
            let payload = raw(&format!("{{\"{key}\":\"1\"}}"));
            let is_known = |entry: &crate::operations::Entry| {
                let checked = (entry.check)(&payload, &deployment());
                let problems = checked.err().map(|invalid| invalid.problems);
                !problems
                    .iter()
                    .flatten()
                    .any(|problem| problem.code == "unknown_field")
            };
            assert!(crate::operations::REGISTRY.iter().any(is_known), "{key}");
        }
    }

    #[test]
    fn the_lane_is_found_in_an_invalid_payload() {
        for (operation_type, payload, lane) in [
            (
                OperationType::ClientCreate,
                r#"{"externalId":"C-1","firstname":7}"#,
                Some("client:c-1"),
            ),
            (
                OperationType::LoanCreate,
                r#"{"externalId":"L-1","clientId":"C-1"}"#,
                Some("loan:l-1"),
            ),
            (
                OperationType::LoanApprove,
                r#"{"external_loan_id":"L-1"}"#,
                Some("loan:l-1"),
            ),
            (
                OperationType::LoanApprove,
                r#"{"external_loan_id":7}"#,
                None,
            ),
            (OperationType::LoanDelete, "{}", None),
            (OperationType::LoanDelete, "[]", None),
        ] {
            let found = named_lane(operation_type, &raw(payload));
            assert_eq!(found.as_ref().map(Lane::as_str), lane, "{payload}");
        }
    }

    #[test]
    fn it_is_the_lane_that_a_valid_payload_writes() {
        let deployment = deployment();
        for entry in crate::operations::REGISTRY {
            // Every type uses exactly one of the two keys for its own client or loan, so the other key is unknown.
            let ids = raw(r#"{"externalId":"A","external_loan_id":"A"}"#);
            let problems = (entry.check)(&ids, &deployment).unwrap_err().problems;
            let unknown = problems
                .iter()
                .filter(|problem| problem.code == "unknown_field")
                .count();
            assert_eq!(unknown, 1, "{}", entry.operation_type);
            assert!(named_lane(entry.operation_type, &ids).is_some());
        }
    }
}
