//! What goes wrong around the gateways: their logs, what others do with the database's rows, and a gateway that is set
//! to another Fineract.

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
    oversight::Held,
};
use crate::private::API;
use fineract_sandbox::Sandbox;

/// For how long something is waited for that a card is about.
const PATIENCE: Duration = Duration::from_secs(15);
/// For how long a gateway runs that is set otherwise than the others.
const ELSEWHERE: Duration = Duration::from_secs(4);
/// How long what is on hold may take to be lifted: gateways are dead or stopped, and rows locked.
const LIFTED_WITHIN: Duration = Duration::from_secs(45);
/// Rows that are held at once.
const HELD: i64 = 3;

impl Chaos<'_> {
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
                Err(error) if started.elapsed() > PATIENCE => return Err(error),
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
                Err(error) if started.elapsed() > PATIENCE => return Err(error),
                Err(_) => tokio::time::sleep(WATCH).await,
            }
        }
    }

    /// Runs a gateway on the same database before another Fineract, once a number is known by which it can see that.
    pub(super) async fn run_before_another(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        let oversight = &self.system.oversight;
        while !oversight.knows_a_client().await.unwrap_or(false) {
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
                self.struck(Card::OtherFineract, 1);
            }
        }
        Ok(())
    }

    /// Runs a gateway more that is set otherwise than the others, until it is killed: what it began they take over.
    pub(super) async fn run_set_otherwise(&self, setting: Setting) -> anyhow::Result<()> {
        let gateway = self.system.gateway_with(&[setting.otherwise()]).await?;
        gateway.start(None).await?;
        tokio::time::sleep(ELSEWHERE).await;
        let has_run = gateway.kill().await;
        self.struck(Card::SetOtherwise(setting), u64::from(has_run));
        Ok(())
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
