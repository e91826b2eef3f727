//! Whose an operation, a batch, an event, a webhook or an idempotency key is.

use std::{fmt, sync::Arc};

/// A company or a system. It sees only what is its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The owner of credentials in the database: an internal token, an API key and a bulk client may share it.
    Named(Arc<str>),
    /// Whoever uses the token of this name in `INTERNAL_TOKENS` or `OPS_TOKENS`.
    Token(Arc<str>),
    /// The client of this name in `BULK_CLIENTS`.
    BulkClient(Arc<str>),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "owner:{name}"),
            Self::Token(name) => write!(f, "token:{name}"),
            Self::BulkClient(name) => write!(f, "bulk:{name}"),
        }
    }
}

impl Owner {
    /// The owner that is displayed like this.
    pub fn from_text(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("owner", name) => Some(Self::Named(name.into())),
            ("token", name) => Some(Self::Token(name.into())),
            ("bulk", name) => Some(Self::BulkClient(name.into())),
            _ => None,
        }
    }

    /// The text that is stored with an operation or a key of this owner.
    pub fn caller(&self) -> String {
        match self {
            Self::Token(name) => name.to_string(),
            Self::Named(_) | Self::BulkClient(_) => self.to_string(),
        }
    }

    /// The text that is stored with a batch of this owner and with the operations of the batch.
    pub fn bulk_client(&self) -> String {
        match self {
            Self::BulkClient(name) => name.to_string(),
            Self::Named(_) | Self::Token(_) => self.to_string(),
        }
    }

    /// Whether an operation with this stored text is of this owner. A token and a bulk client of one name in the
    /// environment are not told apart here: the text of both is the name.
    pub fn has_sent(&self, stored: &str) -> bool {
        match self {
            Self::Named(_) => self.to_string() == stored,
            Self::Token(name) | Self::BulkClient(name) => {
                **name == *stored || self.to_string() == stored
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_recognises_what_it_has_stored_and_nothing_else() {
        let texts = ["owner:acme", "token:acme", "bulk:acme"];
        for (text, caller, client, also) in [
            (texts[0], "owner:acme", "owner:acme", &[][..]),
            (texts[1], "acme", "token:acme", &["acme"]),
            (texts[2], "bulk:acme", "acme", &["acme"]),
        ] {
            let owner = Owner::from_text(text).unwrap();
            assert_eq!(owner.to_string(), text);
            assert_eq!(owner.caller(), caller);
            assert_eq!(owner.bulk_client(), client);
            for stored in ["acme", "owner:acme", "token:acme", "bulk:acme", "", "acm"] {
                let expected = stored == text || also.contains(&stored);
                assert_eq!(owner.has_sent(stored), expected, "{text} {stored}");
            }
        }
        for text in ["acme", "", "other:acme"] {
            assert_eq!(Owner::from_text(text), None, "{text}");
        }
    }
}
