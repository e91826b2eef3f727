//! Tests of the decision, as tables from which `docs/DECISIONS.md` is generated.

mod attempts;
mod cases;
mod document;
mod model;
mod recorded;

use std::time::Duration;

use super::Patience;

/// The default value of the setting.
const PATIENCE: Patience = Patience {
    stuck_after: Duration::from_mins(5),
};
