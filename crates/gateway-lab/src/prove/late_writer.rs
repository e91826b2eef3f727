//! The card [`Card::WriteLate`]: a gateway that was stopped resumes and tries to write a decision that is out of date.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    chaos::{Chaos, WATCH},
    faults::Card,
    sandbox_faults::commands_of,
};
use crate::private::Gateway;
use fineract_gateway::domain::OperationType;

/// How long to wait for a gateway to stop, and for another one to continue its operations.
const PATIENCE: Duration = Duration::from_secs(8);
/// The delay of the effect of the command that the other gateway sends in the meantime.
const LATE_EFFECT: Duration = Duration::from_secs(5);

impl Chaos<'_> {
    /// A gateway has stopped itself before it writes that a client update is to be tried under a new key. Waits until
    /// other gateways have sent all updates that it had leased, under a second key and with delayed effects. Then
    /// resumes it.
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
            self.count_hits(Card::WriteLate, 1);
        }
        zombie.resume().await;
        self.clear_faults().await?;
        tokio::time::sleep(LATE_EFFECT).await;
        Ok(())
    }

    /// Waits until the interrupted updates have been sent under a second key.
    async fn await_second_key(&self) -> bool {
        let oversight = &self.system.oversight;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let has_continued = oversight
                .continued_under_next_key(OperationType::ClientUpdate)
                .await;
            if has_continued.unwrap_or(false) {
                return true;
            }
            tokio::time::sleep(WATCH).await;
        }
        false
    }

    async fn stopped_gateway(&self) -> Option<&Gateway> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
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
