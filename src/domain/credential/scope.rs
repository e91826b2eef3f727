//! What a credential permits.

/// One permission. Each route names the scope that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Sending operations.
    Operate,
    /// Reading the results of the owner's operations, and its events.
    Track,
    /// As `Track`, for the operations of every owner.
    TrackAll,
    /// Sending, watching, retrying and cancelling the owner's batches, and reading its events.
    Bulk,
    /// Reading the owner's transactions.
    Transactions,
    /// As `Transactions`, for those of every owner.
    TransactionsAll,
    /// Managing the owner's webhook endpoints.
    Webhooks,
    /// Reading everything except personal data, as an operator.
    OpsRead,
    /// Every action of an operator.
    Ops,
    /// Reading personal data: payloads, commands and answers of Fineract.
    OpsPii,
    /// Managing credentials.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 11] = [
        Self::Operate,
        Self::Track,
        Self::TrackAll,
        Self::Bulk,
        Self::Transactions,
        Self::TransactionsAll,
        Self::Webhooks,
        Self::OpsRead,
        Self::Ops,
        Self::OpsPii,
        Self::Admin,
    ];

    /// The name in the database, in requests and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operate => "operate",
            Self::Track => "track",
            Self::TrackAll => "track.all",
            Self::Bulk => "bulk",
            Self::Transactions => "transactions",
            Self::TransactionsAll => "transactions.all",
            Self::Webhooks => "webhooks",
            Self::OpsRead => "ops.read",
            Self::Ops => "ops",
            Self::OpsPii => "ops.pii",
            Self::Admin => "admin",
        }
    }

    /// The scope with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// The set of these scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut rest = scopes;
        while let [first, others @ ..] = rest {
            bits |= Self::bit(*first);
            rest = others;
        }
        Self(bits)
    }

    const fn bit(scope: Scope) -> u16 {
        1 << scope as u16
    }

    /// Whether the set contains the scope.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    /// The scopes, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let bits = scopes.into_iter().map(Self::bit);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.as_str()), Some(scope));
            let alone = Scopes::of(&[scope]);
            assert_eq!(alone.iter().collect::<Vec<_>>(), [scope]);
            assert_eq!(alone.iter().collect::<Scopes>(), alone);
        }
        assert_eq!(Scopes::of(&Scope::ALL).iter().count(), Scope::ALL.len());
        assert_eq!(Scope::from_name("track.al"), None);
    }
}
