//! A credential in the database: by which header it is sent, and what it permits.

mod scope;
mod secret;

pub use self::{
    scope::{Scope, Scopes},
    secret::CredentialSecret,
};

/// By which header a credential is sent, and for whom it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A program that sends operations: `X-Internal-Token`.
    InternalToken,
    /// A reader of transactions: `Authorization: Token …`.
    ApiKey,
    /// A program that sends batches: the four headers of document 002.
    BulkClient,
    /// An operator or an operator's program: `X-Internal-Token`, and the sign-in of the page.
    Ops,
}

impl CredentialKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::InternalToken,
        Self::ApiKey,
        Self::BulkClient,
        Self::Ops,
    ];

    /// The name in the database, in requests and in commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InternalToken => "internal_token",
            Self::ApiKey => "api_key",
            Self::BulkClient => "bulk_client",
            Self::Ops => "ops",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The scopes that a credential of this kind can have: those of the routes that read its header.
    pub const fn possible(self) -> &'static [Scope] {
        match self {
            Self::InternalToken => &[
                Scope::Operate,
                Scope::Track,
                Scope::TrackAll,
                Scope::Webhooks,
            ],
            Self::ApiKey => &[Scope::Transactions, Scope::TransactionsAll],
            Self::BulkClient => &[Scope::Bulk, Scope::Webhooks],
            Self::Ops => &[
                Scope::Operate,
                Scope::Track,
                Scope::TrackAll,
                Scope::Webhooks,
                Scope::OpsRead,
                Scope::Ops,
                Scope::OpsPii,
                Scope::Admin,
            ],
        }
    }

    /// The scopes of a new credential for which none are named: those that everybody of this kind needs.
    pub const fn usual(self) -> &'static [Scope] {
        match self {
            Self::InternalToken => &[Scope::Operate, Scope::Track, Scope::Webhooks],
            Self::ApiKey => &[Scope::Transactions],
            Self::BulkClient => &[Scope::Bulk, Scope::Webhooks],
            Self::Ops => &[Scope::OpsRead, Scope::Ops],
        }
    }
}
