//! What the fields of a payload are, as data: their keys, and the kinds of their values. The OpenAPI document is made
//! of it.

use super::Deployment;

/// The kind of a field's value (`docs/API.md`, "Values"). Its figures are those with which the rules check the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text that is not blank.
    Text {
        /// The largest number of characters, counted as UTF-16 units.
        longest: usize,
    },
    /// The external id of a client or a loan.
    Id {
        /// The largest number of characters.
        longest: usize,
    },
    /// A payment reference (UTR).
    Reference {
        /// The largest number of characters.
        longest: usize,
    },
    /// A day of the calendar.
    Day {
        /// The first year that is accepted.
        first_year: i32,
        /// The last year that is accepted.
        last_year: i32,
    },
    /// A decimal number that is not negative.
    Decimal {
        /// The largest number of digits.
        digits: usize,
        /// How many of these digits may be after the point.
        places: u32,
        /// Whether the number may be zero.
        may_be_zero: bool,
    },
    /// A whole number from 1 on, up to this one.
    Count {
        /// The largest number.
        largest: i32,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of the deployment's lenders.
    Lender,
}

/// A field of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// Whether the field must be there.
    pub is_required: bool,
    /// The kind of its value.
    pub kind: Kind,
}

/// The fields that an operation type reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadFields {
    /// All fields, in the order in which the type reads them.
    pub fields: Vec<Field>,
    /// The keys of which at least one must be there. Empty: the type has no such rule.
    pub one_of: Vec<&'static str>,
}

impl Kind {
    /// The words that the value may be; `None` if the kind has no list of words.
    pub fn words(self, deployment: &Deployment) -> Option<Vec<&str>> {
        match self {
            Self::Word(words) => Some(words.to_vec()),
            Self::Lender => {
                let names = deployment.lenders.iter();
                Some(names.map(|(name, _)| name.as_str()).collect())
            }
            Self::Text { .. }
            | Self::Id { .. }
            | Self::Reference { .. }
            | Self::Day { .. }
            | Self::Decimal { .. }
            | Self::Count { .. } => None,
        }
    }
}
