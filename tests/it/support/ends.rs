//! How operations end, where it does not matter what Fineract said.

use fineract_gateway::domain::{End, ResourceId};

/// A refusal with which its dependents fail.
pub(crate) fn refused() -> End {
    End::Failed {
        body: None,
        message: "refused".to_owned(),
        code: "test".to_owned(),
        fails_dependents: true,
    }
}

/// A success that says nothing.
pub(crate) fn done() -> End {
    End::Succeeded {
        body: "{}".to_owned(),
        resource_id: ResourceId::Unchanged,
    }
}
