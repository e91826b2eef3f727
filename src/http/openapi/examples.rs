//! The examples of the document. Most are those of the callers' API documents.

use std::sync::LazyLock;

use serde_json::{Map, Value};

static EXAMPLES: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).unwrap_or_default());

/// The value at a JSON pointer into the file of the examples; `null` if there is none.
pub(super) fn example(pointer: &str) -> Value {
    EXAMPLES.pointer(pointer).cloned().unwrap_or_default()
}

/// One example without a name of its own.
pub(super) fn one(pointer: &str) -> Value {
    let mut named = Map::new();
    named.insert("example".to_owned(), example(pointer));
    named.into()
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::operations::{Deployment, REGISTRY};

    #[test]
    fn every_type_has_a_valid_example() {
        let deployment = Deployment {
            office_id: 1,
            payment_type: None,
            lenders: vec![("UGRO".to_owned(), "UGRO".to_owned())],
        };
        for entry in REGISTRY {
            let operation = example(&format!("/operate/{}", entry.operation_type));
            assert_eq!(operation["status"], entry.operation_type.as_str());
            let data = to_raw_value(&operation["data"]).unwrap();
            (entry.check)(&data, &deployment).unwrap();
        }
    }
}
