//! What goes wrong around the gateways: their logs, and what others do with the database's rows.

use std::time::{Duration, Instant};

use anyhow::ensure;
use fastrand::Rng;
use serde_json::json;

use super::{
    faults::Card,
    havoc::{Havoc, WATCH},
};
use crate::store::Held;

/// For how long something is waited for that a card is about.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long what is on hold may take to be lifted: gateways are dead or stopped, and rows locked.
const LIFTED_WITHIN: Duration = Duration::from_secs(45);
/// Rows that are held at once.
const HELD: i64 = 3;

impl Havoc<'_> {
    /// The reader of a log stalls, or goes away.
    pub(super) async fn leave_log(&self, card: Card, is_closed: bool) {
        for gateway in &self.system.gateways {
            let mut stderr = gateway.stderr.lock().await;
            if is_closed && stderr.close().await {
                return self.struck(card, 1);
            }
            if !is_closed && stderr.stall().await {
                return;
            }
        }
    }

    /// Counts the logs that nobody reads and that are full by now.
    pub(super) async fn count_full_logs(&self) {
        for gateway in &self.system.gateways {
            if gateway.stderr.lock().await.is_full().await {
                self.struck(Card::Log { is_closed: false }, 1);
            }
        }
    }

    /// Holds rows of lanes and of operations, each for longer than gateways wait.
    pub(super) async fn hold_rows(&self, rng: &mut Rng) {
        let started = Instant::now();
        for held in [Held::Lanes, Held::Operations] {
            let time = Duration::from_millis(rng.u64(2_500..4_000));
            // Others take the judge's connection away as well; and there may be nothing yet.
            while started.elapsed() < PATIENCE {
                let locked = self.system.oversight.hold_rows(held, HELD, time).await;
                let locked = locked.unwrap_or(0);
                self.struck(Card::HoldRows, u64::try_from(locked).unwrap_or(0));
                if locked > 0 {
                    break;
                }
                tokio::time::sleep(WATCH).await;
            }
        }
    }

    /// Puts everything on hold, and lifts that as an operator does: first what is accepted, then what is on hold.
    pub(super) async fn hold_all(&self, rng: &mut Rng) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            match self.system.oversight.hold_all().await {
                Ok(covered) => {
                    self.struck(Card::HoldAll, covered);
                    break;
                }
                Err(error) if started.elapsed() > PATIENCE => return Err(error.into()),
                // It may be half done, and is done again.
                Err(_) => tokio::time::sleep(WATCH).await,
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(300..3_000))).await;
        let started = Instant::now();
        let reason = json!({ "reason": "prove" });
        while !self.system.lift("end", &reason).await? {
            ensure!(
                started.elapsed() < LIFTED_WITHIN,
                "the hold cannot be ended"
            );
        }
        let all = json!({ "reason": "prove", "all": true, "limit": 100_000 });
        while !self.system.lift("release", &all).await? {
            ensure!(
                started.elapsed() < LIFTED_WITHIN,
                "what is on hold cannot be released"
            );
        }
        Ok(())
    }

    /// Leaves operations behind that no gateway knows.
    pub(super) async fn plant_unknown(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            match self.system.oversight.plant_unknown().await {
                Ok(planted) => {
                    self.struck(Card::UnknownType, planted);
                    return Ok(());
                }
                Err(error) if started.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => tokio::time::sleep(WATCH).await,
            }
        }
    }

    /// Waits until an operation cannot be read about whose deadline has passed.
    pub(super) async fn count_unread(&self, card: Card) {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let unread = self.system.oversight.unread_past_expiry().await;
            let unread = unread.unwrap_or(0);
            self.struck(card, unread);
            if unread > 0 {
                break;
            }
            tokio::time::sleep(WATCH).await;
        }
    }
}
