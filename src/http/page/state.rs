//! What the page needs besides the state of the API.

use std::sync::Arc;

use chrono_tz::Tz;

use super::failures::Failures;

/// The settings and the memory of the page. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Page {
    /// The time zone in which the gateway writes times; a browser with JavaScript shows its own.
    pub(super) zone: Tz,
    /// The tenant in Fineract, as the head of each page shows it.
    pub(super) tenant: Arc<str>,
    /// The failed sign-ins of the last minute.
    pub(super) failures: Arc<Failures>,
}

impl Page {
    /// Creates the state with this time zone. `tenant` is unknown in a process without Fineract.
    pub fn new(zone: Tz, tenant: Option<&str>) -> Self {
        Self {
            zone,
            tenant: tenant.unwrap_or_default().into(),
            failures: Arc::default(),
        }
    }
}
