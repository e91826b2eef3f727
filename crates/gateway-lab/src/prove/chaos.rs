//! Applies the cards of a round while the callers send. Afterwards repairs what the cards broke.

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

/// The interval between two checks for dead and stopped gateways, and between two polls of a condition.
pub(super) const WATCH: Duration = Duration::from_millis(50);
/// The interval at which a checker searches for commands that wait.
const CHECKS: Duration = Duration::from_millis(300);

/// The disturbances of one round.
#[derive(Debug)]
pub(super) struct Chaos<'a> {
    pub(super) system: &'a System,
    pub(super) tally: &'a Tally,
    /// Set when the disturbances have ended. From then on, a gateway that has died is restarted without delay and
    /// without an injection.
    pub(super) is_over: AtomicBool,
    /// The number of effects in the second Fineract. The card `OtherFineract` lets a gateway on the same database use
    /// it.
    pub(super) elsewhere: AtomicUsize,
}

impl Chaos<'_> {
    /// Adds the sandbox faults of a card before the callers start. Returns the longest delay of an answer or effect
    /// that they cause.
    pub(super) async fn prepare(&self, card: Card, rng: &mut Rng) -> anyhow::Result<Duration> {
        self.tally.count_round_with(card.name());
        let (fault, delay) = if card == Card::SandboxRestart {
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
            return Ok(encounter.longest_delay);
        } else {
            match card.sandbox_fault(rng) {
                Some(requested) if requested.lasts.is_none() => (requested.fault, requested.delay),
                Some(_) | None => return Ok(Duration::ZERO),
            }
        };
        self.system.fineract.add_fault(&fault).await?;
        Ok(delay)
    }

    /// Delays answers if a gateway is to die between a command and its answer. Otherwise the answer could arrive before
    /// the gateway dies.
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

    /// Applies a card at a random moment under load. Returns when the damage has been repaired.
    pub(super) async fn play(&self, card: Card, mut rng: Rng) -> anyhow::Result<()> {
        tokio::time::sleep(Duration::from_millis(rng.u64(100..2_500))).await;
        let fineract = &self.system.fineract;
        match card {
            Card::Kill | Card::Shutdown | Card::Stop => self.signal_gateway(card, &mut rng).await,
            Card::WriteLate => self.write_late().await?,
            Card::CrashPostgres => {
                let away = Duration::from_millis(rng.u64(0..1_500));
                self.system.servers.crash_postgres(away).await?;
                self.count_hits(card, 1);
            }
            Card::TerminateBackends => {
                for _ in 0..5 {
                    let count = self.system.oversight.terminate_backends(8).await;
                    self.count_hits(card, count.unwrap_or(0));
                    tokio::time::sleep(Duration::from_millis(rng.u64(50..400))).await;
                }
            }
            Card::SandboxAway => {
                self.system.servers.sandbox_away().await;
                tokio::time::sleep(Duration::from_millis(rng.u64(500..4_000))).await;
                self.system.servers.sandbox_back().await?;
                self.count_hits(card, 1);
            }
            Card::SandboxRestart => {
                fineract.restart().await?;
                self.count_hits(card, 1);
            }
            Card::KeysLost => self.lose_keys(&mut rng).await?,
            Card::Sandbox(_) => {
                if let Some(requested) = card.sandbox_fault(&mut rng)
                    && let Some(lasts) = requested.lasts
                {
                    fineract.add_fault(&requested.fault).await?;
                    tokio::time::sleep(lasts).await;
                    self.clear_faults().await?;
                }
            }
            Card::Log { is_closed } => self.stop_reading_log(card, is_closed).await,
            Card::LockRows => self.lock_rows(&mut rng).await,
            Card::OtherFineract => self.run_against_other_fineract().await?,
            Card::OtherSetting(setting) => self.run_with_other_setting(setting).await?,
            Card::HoldAll => self.hold_all(&mut rng).await?,
            Card::UnknownType => self.plant_unknown().await?,
            Card::StopAtPoint | Card::Checker(_) => {}
            Card::Encounter(_) if card.is_unreadable_encounter() => {
                self.await_expired_unread(card).await;
            }
            Card::Encounter(_) => self.count_hits(card, 1),
        }
        Ok(())
    }

    /// Replaces the process of Fineract with a process that ignores idempotency keys. Later replaces it with a process
    /// that honours them.
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
        self.count_hits(Card::KeysLost, 1);
        Ok(())
    }

    pub(super) fn count_hits(&self, card: Card, times: u64) {
        self.tally.count_hits(card.name(), times);
    }

    async fn signal_gateway(&self, card: Card, rng: &mut Rng) {
        let Some(gateway) = rng.choice(&self.system.gateways) else {
            return;
        };
        let has_hit = if card == Card::Kill {
            gateway.kill().await
        } else if card == Card::Shutdown {
            gateway.terminate().await
        } else {
            let has_stopped = gateway.stop().await;
            tokio::time::sleep(LEASE + Duration::from_millis(rng.u64(500..2_500))).await;
            gateway.resume().await;
            has_stopped
        };
        self.count_hits(card, u64::from(has_hit));
    }

    /// Removes all faults of the sandbox, and counts the requests that were hit.
    pub(super) async fn clear_faults(&self) -> anyhow::Result<()> {
        for (name, hits) in self.system.fineract.hits().await? {
            self.tally.count_hits(name, hits);
        }
        self.system.fineract.clear_faults().await
    }

    /// After a while, restarts each gateway that has died. The first restarted gateway gets `next_injection`. After
    /// `stop_lasts`, resumes each gateway that has stopped itself.
    pub(super) async fn restart_and_resume(
        &self,
        stop_lasts: Duration,
        mut next_injection: Option<Injection>,
        mut rng: Rng,
    ) -> anyhow::Result<Infallible> {
        let mut back_at: Vec<Option<Instant>> = vec![None; self.system.gateways.len()];
        loop {
            for (gateway, back_at) in self.system.gateways.iter().zip(&mut back_at) {
                self.count_death(gateway).await;
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
                    self.count_hits(Card::StopAtPoint, 1);
                    gateway.resume().await;
                }
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    async fn count_death(&self, gateway: &Gateway) {
        match gateway.reap().await {
            Some(Death::AtPoint(injection)) => self
                .tally
                .count_death_at((injection.point, injection.operation_type)),
            Some(Death::Unexpected) => self.tally.ended_unexpectedly(),
            Some(Death::BySignal) | None => {}
        }
    }

    /// Lets the checkers of the round process the waiting commands, in an endless loop.
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
                self.count_hits(*card, dealt_with.unwrap_or(0));
            }
            tokio::time::sleep(CHECKS).await;
        }
    }
}
