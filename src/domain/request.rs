//! Requests to Fineract, and the idempotency key of a command.

use std::fmt;

use serde::Deserialize;

use super::{Amount, OperationId};

/// The HTTP methods of Fineract's commands and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, or runs the action in `?command=`.
    Post,
    /// Changes.
    Put,
    /// Deletes.
    Delete,
}

impl Method {
    /// The method's name in HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// The method with this name, if the gateway uses it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Get, Self::Post, Self::Put, Self::Delete]
            .into_iter()
            .find(|method| method.as_str() == name)
    }
}

/// One command. The gateway stores the command before it sends it, and sends the same bytes at every repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// Path and query below `/api/v1`, percent-encoded, starting with `/`.
    pub path: String,
    /// The JSON body, or `None` for a delete.
    pub body: Option<String>,
}

impl Request {
    /// The number of the client in the path, if there is one.
    pub fn client_id(&self) -> Option<i64> {
        self.number_behind("/clients/")
    }

    /// The number of the loan in the path, if there is one.
    pub fn loan_id(&self) -> Option<i64> {
        self.number_behind("/loans/")
    }

    /// Whether both requests make the same payment: the same amount on the same loan, under the same external id,
    /// which Fineract accepts only once. Other fields (payment type, receipt, note) may differ, because the settings
    /// may have changed in the meantime.
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

/// The key under which Fineract executes a command at most once: `<uuid>-<k>`. The key has 38 to 47 characters, and
/// Fineract stores up to 50 (`docs/fineract/idempotency.md`, "What a key covers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The operation that the key belongs to.
    pub id: OperationId,
    /// The key number `k`, starting at 1. Only the decision "new key" raises this number.
    pub number: i32,
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.number)
    }
}

/// What the success of a command shows about the number of its client or loan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResourceId {
    /// The success shows no new number.
    #[default]
    Unchanged,
    /// The client or loan was created.
    Known {
        /// The number that Fineract assigned to the client or loan.
        number: i64,
        /// The external id that was sent with the create.
        external_id: Option<String>,
    },
    /// The client or loan was deleted.
    Gone,
}

impl ResourceId {
    /// The number, if the object was created.
    pub const fn known(&self) -> Option<i64> {
        match self {
            Self::Known { number, .. } => Some(*number),
            Self::Unchanged | Self::Gone => None,
        }
    }

    /// The external id that was sent with the create.
    pub fn external_id(&self) -> Option<&str> {
        match self {
            Self::Known { external_id, .. } => external_id.as_deref(),
            Self::Unchanged | Self::Gone => None,
        }
    }
}
