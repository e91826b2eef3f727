//! How the body of a request is known again.

/// The digests of a request's body: two bodies are the same if their bytes are, or what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    /// SHA-256 of its bytes.
    pub bytes: [u8; 32],
    /// SHA-256 of its value, however that is written; `None` where only the bytes tell two bodies apart.
    pub value: Option<[u8; 32]>,
}

impl BodyDigest {
    /// Whether these are the stored digests of the same body. A row from before values were compared has
    /// none of its value.
    pub fn is_of_same(&self, stored_bytes: &[u8], stored_value: Option<&[u8]>) -> bool {
        let is_same_value = |value: &[u8; 32]| stored_value == Some(value);
        stored_bytes == self.bytes || self.value.as_ref().is_some_and(is_same_value)
    }
}
