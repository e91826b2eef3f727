//! An entry of the start page.

/// Something that needs a person.
pub(super) struct Need {
    /// The class of its colour.
    pub(super) tone: &'static str,
    /// How many operations it concerns.
    pub(super) count: String,
    pub(super) what: String,
    pub(super) more: String,
    /// Since when, or how long.
    pub(super) age: String,
    /// The page that shows it.
    pub(super) address: String,
    /// The text of the link.
    pub(super) go: &'static str,
}
