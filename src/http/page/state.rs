//! What the page needs besides the state of the API.

use std::sync::Arc;

use chrono_tz::Tz;
use tokio::sync::Semaphore;

/// How many sessions and links are looked up at the same time. Everybody can send a wrong one, so the others must not have
/// to wait for the connections that these need.
const LOOK_UPS: usize = 4;

/// The settings and the memory of the page. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Page {
    /// The time zone in which the gateway writes times; a browser with JavaScript shows its own.
    pub(super) zone: Tz,
    /// The tenant in Fineract, as the head of each page shows it.
    pub(super) tenant: Arc<str>,
    look_ups: Arc<Semaphore>,
}

impl Page {
    /// Creates the state with this time zone. `tenant` is unknown in a process without Fineract.
    pub fn new(zone: Tz, tenant: Option<&str>) -> Self {
        Self {
            zone,
            tenant: tenant.unwrap_or_default().into(),
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
        }
    }

    /// Looks up the secret of a visitor in the database, as soon as fewer others are looked up.
    pub(super) async fn look_up<T>(&self, look_up: impl Future<Output = T>) -> T {
        // The semaphore is never closed.
        let _permit = self.look_ups.acquire().await;
        look_up.await
    }
}
