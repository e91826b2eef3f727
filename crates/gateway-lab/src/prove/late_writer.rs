//! A gateway that wakes late, and writes what was right when it stopped.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    chaos::{Chaos, WATCH},
    faults::Card,
    sandbox_faults::commands_of,
};
use crate::private::Gateway;
use fineract_gateway::domain::OperationType;

/// How long a gateway that is to write late is waited for.
const LATE_WRITER: Duration = Duration::from_secs(8);
/// How late the effect of the command is that the other gateway sends meanwhile.
const LATE_EFFECT: Duration = Duration::from_secs(5);

impl Chaos<'_> {
    /// A gateway has stopped itself before it writes that a client's update is to be tried under a new
    /// key. When all updates that it held have been sent so by others, and take effect late, it wakes and
    /// writes.
    pub(super) async fn write_late(&self) -> anyhow::Result<()> {
        let Some(zombie) = self.stopped_gateway().await else {
            return Ok(());
        };
        self.clear_faults().await?;
        let mut aim = commands_of(OperationType::ClientUpdate);
        if let Some(aim) = aim.as_object_mut() {
            aim.insert("key".to_owned(), json!("-2"));
        }
        let delay_ms = u64::try_from(LATE_EFFECT.as_millis())?;
        let late =
            json!({ "fault": "late_effect", "match": aim, "times": 20, "delay_ms": delay_ms });
        self.system.fineract.add_fault(&late).await?;
        if self.await_second_key().await {
            self.struck(Card::WriteLate, 1);
        }
        zombie.resume().await;
        self.clear_faults().await?;
        tokio::time::sleep(LATE_EFFECT).await;
        Ok(())
    }

    /// Waits until the updates that were left alone have been sent under a second key.
    async fn await_second_key(&self) -> bool {
        let oversight = &self.system.oversight;
        let started = Instant::now();
        while started.elapsed() < LATE_WRITER {
            let went_on = oversight.went_on_without(OperationType::ClientUpdate).await;
            if went_on.unwrap_or(false) {
                return true;
            }
            tokio::time::sleep(WATCH).await;
        }
        false
    }

    async fn stopped_gateway(&self) -> Option<&Gateway> {
        let started = Instant::now();
        while started.elapsed() < LATE_WRITER {
            for gateway in &self.system.gateways {
                if gateway.has_stopped_itself().await.is_some() {
                    return Some(gateway);
                }
            }
            tokio::time::sleep(WATCH).await;
        }
        None
    }
}
