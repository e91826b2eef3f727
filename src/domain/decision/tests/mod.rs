//! What each answer means, row by row; `docs/DECISIONS.md` is written from these tables.

mod attempts;
mod cases;
mod document;
mod model;
mod recorded;

use std::time::Duration;

use super::Patience;

/// The default.
const PATIENCE: Patience = Patience {
    stuck_after: Duration::from_mins(5),
};
