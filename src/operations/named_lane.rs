//! The lane that a payload names, however wrong the rest of it is.

use serde_json::value::RawValue;

use super::{fields::Entries, rules};
use crate::domain::{Lane, OperationType};

/// The lane that an operation of this type would write, if its payload says whose it is: what is refused
/// at the door still has others behind it.
pub fn named_lane(operation_type: OperationType, payload: &RawValue) -> Option<Lane> {
    let Entries(entries) = serde_json::from_str(payload.get()).ok()?;
    let id = |key: &str| {
        let (_, value) = entries.iter().find(|(name, _)| name == key)?;
        rules::external_id(value).ok()
    };
    if matches!(
        operation_type,
        OperationType::ClientCreate | OperationType::ClientUpdate
    ) {
        return id("externalId").map(|id| Lane::client(&id));
    }
    // Those that make or change an application call it externalId, all others external_loan_id.
    id("external_loan_id")
        .or_else(|| id("externalId"))
        .map(|id| Lane::loan(&id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::testing::raw;

    #[test]
    fn a_payload_names_its_lane_however_wrong_it_is() {
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
    fn it_is_the_lane_that_a_good_payload_writes() {
        let deployment = crate::operations::testing::deployment();
        for entry in crate::operations::REGISTRY {
            // Every type names itself by one of the two keys: with both, one is unknown, and no other.
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
