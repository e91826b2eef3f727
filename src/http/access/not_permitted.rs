//! What a credential does not permit to send.

/// What a credential does not permit to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum NotPermitted {
    /// Operations of this type.
    Type,
    /// Operations for this lender.
    Lender,
}

impl NotPermitted {
    /// The stable name that callers may rely on.
    pub(in crate::http) const fn code(self) -> &'static str {
        match self {
            Self::Type => "type_not_permitted",
            Self::Lender => "lender_not_permitted",
        }
    }

    /// What a row of a batch must be.
    pub(in crate::http) const fn must(self) -> &'static str {
        match self {
            Self::Type => "must be of a type that your credential may send",
            Self::Lender => "must be for a lender for which your credential may send operations",
        }
    }

    /// Where the problem of a row is.
    pub(in crate::http) const fn pointer(self) -> &'static str {
        match self {
            Self::Type => "/status",
            Self::Lender => "/data/lenderConfig",
        }
    }
}
