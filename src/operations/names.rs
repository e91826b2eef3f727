//! The fields by which a payload names something: a wrong one does the right thing to the wrong loan.

use serde_json::value::RawValue;

use super::fields::Entries;

/// What a field names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A client or a loan.
    ClientOrLoan,
    /// A payment, by its reference (UTR).
    Payment,
    /// A person's phone, of which Fineract lets no two clients have the same.
    Phone,
}

const FIELDS: [(&str, Named); 5] = [
    ("externalId", Named::ClientOrLoan),
    ("clientId", Named::ClientOrLoan),
    ("external_loan_id", Named::ClientOrLoan),
    ("utr_payment_id", Named::Payment),
    ("mobileNo", Named::Phone),
];

/// What the field of this key names, if it names anything.
pub fn named_by(key: &str) -> Option<Named> {
    let found = FIELDS.iter().find(|(name, _)| *name == key);
    found.map(|(_, named)| *named)
}

/// The fields of a payload that name something, however wrong the rest of it is: their keys and texts.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::testing::{deployment, raw};

    #[test]
    fn the_texts_that_name_something_are_found_in_any_payload() {
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
    fn every_such_field_is_one_of_some_type() {
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
}
