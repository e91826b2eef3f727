//! Cards about the surroundings of a gateway: its log, other sessions of the database, and other gateways with other
//! settings.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::ensure;
use fastrand::Rng;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    chaos::{Chaos, WATCH},
    faults::{Card, Setting},
    fineract::SandboxClient,
    oversight::LockTarget,
};
use crate::private::API;
use fineract_sandbox::Sandbox;

/// How long a card waits for its condition.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long an additional gateway runs.
const ELSEWHERE: Duration = Duration::from_secs(4);
/// The longest time for the release of a hold. A release may take long, because gateways may be dead or stopped, and
/// rows may be locked.
const RELEASED_WITHIN: Duration = Duration::from_secs(45);
/// The number of rows that are locked at once.
const ROWS_LOCKED: i64 = 3;

impl Chaos<'_> {
    /// Stops reading the log of one gateway, or closes the pipe of its log.
    pub(super) async fn stop_reading_log(&self, card: Card, is_closed: bool) {
        for gateway in &self.system.gateways {
            let mut stderr = gateway.stderr.lock().await;
            if is_closed && stderr.close().await {
                return self.count_hits(card, 1);
            }
            if !is_closed && stderr.stall().await {
                return;
            }
        }
    }

    /// Counts the pipes that nobody reads, if they have become full.
    pub(super) async fn count_full_logs(&self) {
        for gateway in &self.system.gateways {
            if gateway.stderr.lock().await.is_full().await {
                self.count_hits(Card::Log { is_closed: false }, 1);
            }
        }
    }

    /// Locks rows of lanes, and then rows of operations, each time for longer than gateways wait for a lock.
    pub(super) async fn lock_rows(&self, rng: &mut Rng) {
        let started = Instant::now();
        for target in [LockTarget::Lanes, LockTarget::Operations] {
            let time = Duration::from_millis(rng.u64(2_500..4_000));
            // There may be no operation to lock yet, and another card may terminate this connection too.
            while started.elapsed() < PATIENCE {
                let locked = self
                    .system
                    .oversight
                    .lock_rows(target, ROWS_LOCKED, time)
                    .await;
                let locked = locked.unwrap_or(0);
                self.count_hits(Card::LockRows, u64::try_from(locked).unwrap_or(0));
                if locked > 0 {
                    break;
                }
                tokio::time::sleep(WATCH).await;
            }
        }
    }

    /// Puts everything on hold. Later releases everything as an operator does: first ends the hold-all, then releases
    /// the operations.
    pub(super) async fn hold_all(&self, rng: &mut Rng) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            match self.system.oversight.hold_all().await {
                Ok(covered) => {
                    self.count_hits(Card::HoldAll, covered);
                    break;
                }
                Err(error) if started.elapsed() > PATIENCE => return Err(error),
                // The failed call may have put only some operations on hold, so the call is repeated.
                Err(_) => tokio::time::sleep(WATCH).await,
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(300..3_000))).await;
        let started = Instant::now();
        let reason = json!({ "reason": "prove" });
        while !self.system.release("end", &reason).await? {
            ensure!(
                started.elapsed() < RELEASED_WITHIN,
                "the hold did not end in time"
            );
        }
        let all = json!({ "reason": "prove", "all": true, "limit": 100_000 });
        while !self.system.release("release", &all).await? {
            ensure!(
                started.elapsed() < RELEASED_WITHIN,
                "the operations on hold were not released in time"
            );
        }
        Ok(())
    }

    /// Writes operations of an unknown type into the database.
    pub(super) async fn plant_unknown(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            match self.system.oversight.plant_unknown().await {
                Ok(planted) => {
                    self.count_hits(Card::UnknownType, planted.len().try_into()?);
                    return Ok(());
                }
                Err(error) if started.elapsed() > PATIENCE => return Err(error),
                Err(_) => tokio::time::sleep(WATCH).await,
            }
        }
    }

    /// Waits until the database contains the number of a client. A gateway needs such a number to notice that its
    /// Fineract is another one. Then runs an additional gateway on the same database against another Fineract.
    pub(super) async fn run_against_other_fineract(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        let oversight = &self.system.oversight;
        while !oversight.knows_a_client_number().await.unwrap_or(false) {
            if started.elapsed() > PATIENCE {
                return Ok(());
            }
            tokio::time::sleep(WATCH).await;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let fineract = SandboxClient::new(self.system.http.clone(), address);
        let url = format!("http://{address}{API}");
        let gateway = self.system.gateway_with(&[("FINERACT_URL", url)]).await?;
        let running = async {
            gateway.start(None).await?;
            tokio::time::sleep(ELSEWHERE).await;
            gateway.kill().await;
            fineract.ledger().await
        };
        let serving = Sandbox::new().serve(listener, CancellationToken::new());
        tokio::select! {
            served = serving => served?,
            effects = running => {
                self.elsewhere.fetch_add(effects?.len(), Ordering::Relaxed);
                self.count_hits(Card::OtherFineract, 1);
            }
        }
        Ok(())
    }

    /// Runs an additional gateway with a different setting, and kills it. The other gateways take over its operations.
    pub(super) async fn run_with_other_setting(&self, setting: Setting) -> anyhow::Result<()> {
        let gateway = self.system.gateway_with(&[setting.other_value()]).await?;
        gateway.start(None).await?;
        tokio::time::sleep(ELSEWHERE).await;
        let has_run = gateway.kill().await;
        self.count_hits(Card::OtherSetting(setting), u64::from(has_run));
        Ok(())
    }

    /// Waits until there is an operation that has passed its `expires_at` while Fineract cannot be read.
    pub(super) async fn await_expired_unread(&self, card: Card) {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let unread = self.system.oversight.count_expired_unread().await;
            let unread = unread.unwrap_or(0);
            self.count_hits(card, unread);
            if unread > 0 {
                break;
            }
            tokio::time::sleep(WATCH).await;
        }
    }
}
