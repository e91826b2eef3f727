//! Compares the bodies of two requests by their digests.

/// The digests of a request's body. Two bodies are the same if their bytes or their JSON values are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    /// SHA-256 of the body's bytes.
    pub bytes: [u8; 32],
    /// SHA-256 of the body's JSON value in canonical form; `None` if bodies are compared by their bytes only.
    pub value: Option<[u8; 32]>,
}

impl BodyDigest {
    /// Whether the stored digests belong to the same body. Rows that were written before the gateway compared values
    /// have no digest of the value.
    pub fn is_of_same(&self, stored_bytes: &[u8], stored_value: Option<&[u8]>) -> bool {
        let is_same_value = |value: &[u8; 32]| stored_value == Some(value);
        stored_bytes == self.bytes || self.value.as_ref().is_some_and(is_same_value)
    }
}
