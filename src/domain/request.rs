//! A command to Fineract, word for word.

use std::fmt;

use serde::Deserialize;

use super::{Amount, OperationId};

/// The HTTP methods of Fineract's commands and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, and carries `?command=`.
    Post,
    /// Changes.
    Put,
    /// Deletes.
    Delete,
}

impl Method {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// The method of that word, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Get, Self::Post, Self::Put, Self::Delete]
            .into_iter()
            .find(|method| method.as_str() == name)
    }
}

/// One command: what is stored before it is sent, and sent again byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query below `/api/v1`, percent-encoded, starting with `/`.
    pub path: String,
    /// The JSON body; a delete has none.
    pub body: Option<String>,
}

impl Request {
    /// The number of the client that it is about; `None` where there is none yet.
    pub fn client_id(&self) -> Option<i64> {
        self.number_behind("/clients/")
    }

    /// The number of the loan that it is about; `None` where there is none yet.
    pub fn loan_id(&self) -> Option<i64> {
        self.number_behind("/loans/")
    }

    /// Whether it pays the same as another: the same amount on the same loan, under the same external id, which
    /// Fineract takes once. What else it says (payment type, receipt, note) may have been set otherwise
    /// since.
    pub fn is_same_payment(&self, other: &Self) -> bool {
        #[derive(PartialEq, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payment {
            external_id: String,
            transaction_amount: Amount,
        }
        let payment = |request: &Self| {
            let body = request.body.as_deref()?;
            serde_json::from_str::<Payment>(body).ok()
        };
        let (ours, theirs) = (payment(self), payment(other));
        self.method == other.method && self.path == other.path && ours.is_some() && ours == theirs
    }

    fn number_behind(&self, folder: &str) -> Option<i64> {
        let rest = self.path.strip_prefix(folder)?;
        rest.split(['/', '?']).next()?.parse().ok()
    }
}

/// What makes Fineract run a command at most once: `<uuid>-<k>`, 38 to 47 characters of the 50 that
/// it stores (`docs/fineract/idempotency.md`, "What a key covers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The operation.
    pub id: OperationId,
    /// `k`, from 1; only the outcome "new key" raises it.
    pub number: i32,
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.number)
    }
}

/// What a command's success says of the numeric id of what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResourceId {
    /// Nothing new.
    #[default]
    Unchanged,
    /// Created.
    Known {
        /// The number under which it was.
        number: i64,
        /// Its external id, as it was sent.
        external_id: Option<String>,
    },
    /// Deleted.
    Gone,
}

impl ResourceId {
    /// The number, where there is one.
    pub const fn known(&self) -> Option<i64> {
        match self {
            Self::Known { number, .. } => Some(*number),
            Self::Unchanged | Self::Gone => None,
        }
    }

    /// The external id that was sent for the number.
    pub fn external_id(&self) -> Option<&str> {
        match self {
            Self::Known { external_id, .. } => external_id.as_deref(),
            Self::Unchanged | Self::Gone => None,
        }
    }
}
