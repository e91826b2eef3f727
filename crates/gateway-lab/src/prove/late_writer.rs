//! The card [`Card::WriteLate`]: a stopped gateway is resumed, and tries to write a decision that is out of date.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    chaos::{Chaos, WATCH},
    faults::Card,
    sandbox_faults::commands_of,
};
use crate::private::Gateway;
use fineract_gateway::domain::OperationType;

/// How long to wait until a gateway stops itself, and until another gateway continues its operations.
const PATIENCE: Duration = Duration::from_secs(8);
/// In the meantime, another gateway sends a command. The effect of that command is delayed by this time.
const LATE_EFFECT: Duration = Duration::from_secs(5);

impl Chaos<'_> {
    /// Waits until a gateway has stopped itself before it writes that a client update continues under a new key. Then
    /// waits until other gateways have sent all updates of that gateway under a second key, with delayed effects. Then
    /// resumes the stopped gateway.
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

    /// Waits until the interrupted updates have been sent under a second key. Returns whether this happened in time.
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
