//! What goes wrong while the callers call, and who brings it back.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use fastrand::Rng;
use serde_json::json;

use super::{
    checkers::Desk,
    faults::Card,
    sandbox_faults::commands_of,
    system::{LEASE, System},
    tally::Tally,
};
use crate::private::{Death, Gateway};
use fineract_gateway::{
    domain::OperationType,
    points::{Injection, Point},
};
use fineract_sandbox::KeySettings;

/// How often dead and stopped gateways are looked for.
pub(super) const WATCH: Duration = Duration::from_millis(50);
/// How often the checker looks for work.
const CHECKS: Duration = Duration::from_millis(300);

/// A round's troubles.
#[derive(Debug)]
pub(super) struct Chaos<'a> {
    pub(super) system: &'a System,
    pub(super) tally: &'a Tally,
    /// From then on nothing goes wrong any more, but for what was under way.
    pub(super) is_over: AtomicBool,
    /// The effects in another Fineract, which a gateway on the same database was set to.
    pub(super) elsewhere: AtomicUsize,
}

impl Chaos<'_> {
    /// Has the sandbox do its part, before the first caller calls; for how long it holds something back.
    pub(super) async fn prepare(&self, card: Card, rng: &mut Rng) -> anyhow::Result<Duration> {
        self.tally.try_fault(card.name());
        let (fault, holds_back) = if card == Card::SandboxRestart {
            let late = json!({ "fault": "late_effect", "times": 4, "probability": 0.25, "delay_ms": 2_500 });
            (late, Duration::from_millis(2_500))
        } else if let Card::Checker(checker) = card {
            for fault in checker.faults() {
                self.system.fineract.add_fault(&fault).await?;
            }
            return Ok(Duration::ZERO);
        } else if card == Card::KeysLost {
            let aim = commands_of(OperationType::ClientUpdate);
            let lost =
                json!({ "fault": "reset_after", "match": aim, "times": 12, "probability": 0.5 });
            (lost, Duration::ZERO)
        } else if card == Card::WriteLate {
            let aim = commands_of(OperationType::ClientUpdate);
            let broken = json!({ "fault": "status_500", "match": aim, "times": 15 });
            (broken, Duration::ZERO)
        } else if let Some(encounter) = card.encounter() {
            return Ok(encounter.holds_back);
        } else {
            match card.sandbox_fault(rng) {
                Some(told) if told.lasts.is_none() => (told.fault, told.holds_back),
                Some(_) | None => return Ok(Duration::ZERO),
            }
        };
        self.system.fineract.add_fault(&fault).await?;
        Ok(holds_back)
    }

    /// Where a gateway dies between a command and its answer, the answer takes a moment.
    pub(super) async fn prepare_for(
        &self,
        injection: Injection,
        rng: &mut Rng,
    ) -> anyhow::Result<()> {
        let operation_type = injection.operation_type;
        let Some(aim) = operation_type.filter(|_| injection.point == Point::AfterSend) else {
            return Ok(());
        };
        let fault = json!({ "match": commands_of(aim), "fault": "slow", "times": 100,
                            "delay_ms": rng.u64(100..400) });
        self.system.fineract.add_fault(&fault).await
    }

    /// Plays a card, at some moment while there is load; over when what it did is undone.
    pub(super) async fn play(&self, card: Card, mut rng: Rng) -> anyhow::Result<()> {
        tokio::time::sleep(Duration::from_millis(rng.u64(100..2_500))).await;
        let fineract = &self.system.fineract;
        match card {
            Card::Kill | Card::Shutdown | Card::Stop => self.hurt(card, &mut rng).await,
            Card::WriteLate => self.write_late().await?,
            Card::CrashPostgres => {
                let away = Duration::from_millis(rng.u64(0..1_500));
                self.system.servers.crash_postgres(away).await?;
                self.struck(card, 1);
            }
            Card::TerminateBackends => {
                for _ in 0..5 {
                    let count = self.system.oversight.terminate_backends(8).await;
                    self.struck(card, count.unwrap_or(0));
                    tokio::time::sleep(Duration::from_millis(rng.u64(50..400))).await;
                }
            }
            Card::SandboxAway => {
                self.system.servers.sandbox_away().await;
                tokio::time::sleep(Duration::from_millis(rng.u64(500..4_000))).await;
                self.system.servers.sandbox_back().await?;
                self.struck(card, 1);
            }
            Card::SandboxRestart => {
                fineract.restart().await?;
                self.struck(card, 1);
            }
            Card::KeysLost => self.lose_keys(&mut rng).await?,
            Card::Sandbox(_) => {
                if let Some(told) = card.sandbox_fault(&mut rng)
                    && let Some(lasts) = told.lasts
                {
                    fineract.add_fault(&told.fault).await?;
                    tokio::time::sleep(lasts).await;
                    self.clear_faults().await?;
                }
            }
            Card::Log { is_closed } => self.leave_log(card, is_closed).await,
            Card::HoldRows => self.hold_rows(&mut rng).await,
            Card::OtherFineract => self.run_before_another().await?,
            Card::SetOtherwise(setting) => self.run_set_otherwise(setting).await?,
            Card::HoldAll => self.hold_all(&mut rng).await?,
            Card::UnknownType => self.plant_unknown().await?,
            Card::StopAtPoint | Card::Checker(_) => {}
            Card::Encounter(_) if card.is_of_the_unreadable() => self.count_unread(card).await,
            Card::Encounter(_) => self.struck(card, 1),
        }
        Ok(())
    }

    /// Fineract's process goes, another comes that ignores keys, and one that honours them again.
    async fn lose_keys(&self, rng: &mut Rng) -> anyhow::Result<()> {
        let servers = &self.system.servers;
        for keys in [
            KeySettings::default().ignoring_all(),
            KeySettings::default(),
        ] {
            servers.sandbox_away().await;
            tokio::time::sleep(Duration::from_millis(rng.u64(300..1_000))).await;
            servers.sandbox_back_with_keys(keys).await?;
            tokio::time::sleep(Duration::from_millis(rng.u64(1_500..3_000))).await;
        }
        self.struck(Card::KeysLost, 1);
        Ok(())
    }

    pub(super) fn struck(&self, card: Card, times: u64) {
        self.tally.strike(card.name(), times);
    }

    async fn hurt(&self, card: Card, rng: &mut Rng) {
        let Some(gateway) = rng.choice(&self.system.gateways) else {
            return;
        };
        let has_struck = if card == Card::Kill {
            gateway.kill().await
        } else if card == Card::Shutdown {
            gateway.terminate().await
        } else {
            let has_stopped = gateway.stop().await;
            tokio::time::sleep(LEASE + Duration::from_millis(rng.u64(500..2_500))).await;
            gateway.resume().await;
            has_stopped
        };
        self.struck(card, u64::from(has_struck));
    }

    /// Has the sandbox behave, and counts what its faults have struck.
    pub(super) async fn clear_faults(&self) -> anyhow::Result<()> {
        for (name, hits) in self.system.fineract.hits().await? {
            self.tally.strike(name, hits);
        }
        self.system.fineract.clear_faults().await
    }

    /// Brings dead gateways back after a while, the first one with an order, and those that stopped
    /// themselves after `stop_lasts`.
    pub(super) async fn attend(
        &self,
        stop_lasts: Duration,
        mut next_injection: Option<Injection>,
        mut rng: Rng,
    ) -> anyhow::Result<Infallible> {
        let mut back_at: Vec<Option<Instant>> = vec![None; self.system.gateways.len()];
        loop {
            for (gateway, back_at) in self.system.gateways.iter().zip(&mut back_at) {
                self.notice_death(gateway).await;
                let is_dead = !gateway.is_alive().await;
                let stopped = gateway.has_stopped_itself().await;
                if !is_dead && stopped.is_none() {
                    *back_at = None;
                    continue;
                }
                let after = match stopped {
                    Some(_) => stop_lasts,
                    None if self.is_over.load(Relaxed) => Duration::ZERO,
                    None => Duration::from_millis(rng.u64(0..1_500)),
                };
                if *back_at.get_or_insert(Instant::now() + after) > Instant::now() {
                    continue;
                }
                if is_dead {
                    let is_over = self.is_over.load(Relaxed);
                    let injection = if is_over { None } else { next_injection.take() };
                    gateway.start(injection).await?;
                    *back_at = None;
                } else {
                    self.struck(Card::StopAtPoint, 1);
                    gateway.resume().await;
                }
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    async fn notice_death(&self, gateway: &Gateway) {
        match gateway.bury().await {
            Some(Death::AtPoint(injection)) => self
                .tally
                .died_at((injection.point, injection.operation_type)),
            Some(Death::Unasked) => self.tally.ended_unasked(),
            Some(Death::ByUs) | None => {}
        }
    }

    /// Deals with what waits for a checker, again and again.
    pub(super) async fn check(&self, cards: &[Card]) -> anyhow::Result<Infallible> {
        let mut desks: Vec<(Card, Desk)> = cards
            .iter()
            .filter_map(|card| {
                let Card::Checker(checker) = card else {
                    return None;
                };
                Some((*card, Desk::of(*checker)))
            })
            .collect();
        loop {
            for (card, desk) in &mut desks {
                let dealt_with = desk.work(&self.system.fineract).await;
                self.struck(*card, dealt_with.unwrap_or(0));
            }
            tokio::time::sleep(CHECKS).await;
        }
    }
}
