//! One operation, from its claim to its settle.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{case::Case, conclude::Conclusion, gate::Gate, held::Held};
use crate::{
    domain::{Attempt, IdempotencyKey, Request, decision::Patience},
    fineract::Fineract,
    operations::{self, Deployment},
    points::{self, Point},
    store::{Claimed, Settlement, StartAttempt, Store, StoreError, Verdict},
    telemetry::chain,
};

/// The most attempts that may end with their process before a person has to look.
const LOST_AT_MOST: i16 = 5;

/// The worker's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For how long an operation is claimed; renewed while it is under way.
    pub lease: Duration,
    /// The most calls at once.
    pub max_in_flight: usize,
    /// The most `LOAN_CREATE` at once for one lender.
    pub loan_create_per_lender: usize,
    /// How long things may take before something else is tried.
    pub patience: Patience,
    /// How long an operation that cannot be decided is tried before it is parked.
    pub park_after: Duration,
}

/// Runs claimed operations.
#[derive(Debug)]
pub struct Runner {
    pub(super) store: Store,
    pub(super) fineract: Fineract,
    pub(super) deployment: Arc<Deployment>,
    settings: Settings,
    gate: Gate,
    held: Held,
    in_flight: Semaphore,
    last_success: Mutex<Option<Instant>>,
}

impl Runner {
    /// A runner over these parts.
    pub fn new(
        store: Store,
        fineract: Fineract,
        deployment: Arc<Deployment>,
        settings: Settings,
        gate: Gate,
    ) -> Self {
        Self {
            store,
            fineract,
            deployment,
            in_flight: Semaphore::new(settings.max_in_flight),
            settings,
            gate,
            held: Held::default(),
            last_success: Mutex::default(),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// How many operations may be held: as many again as are in flight, so that a settle never waits for
    /// a claim.
    pub(super) fn capacity(&self) -> usize {
        2 * self.settings.max_in_flight
    }

    /// Runs a claimed operation and settles it. What has not been sent when `stop` is cancelled is
    /// handed back.
    pub(super) async fn run(&self, claimed: Claimed, stop: &CancellationToken) {
        let conclusion = match self.in_flight.acquire().await {
            Ok(_permit) if !stop.is_cancelled() => self.conclude(&claimed).await,
            Ok(_) | Err(_) => Some(Conclusion::unsent(Verdict::Again {
                delay: Duration::ZERO,
                new_key: false,
                why: "handed_back",
            })),
        };
        let Some(conclusion) = conclusion else {
            tracing::warn!(operation.id = %claimed.id, operation.attempt = claimed.attempt, "the lease is gone; nothing was sent");
            return;
        };
        #[cfg(feature = "sabotage")]
        let conclusion = super::sabotaged::with_new_key(conclusion);
        log(&claimed, &conclusion);
        let settlement = Settlement {
            id: claimed.id,
            attempt: claimed.attempt,
            places: claimed.places.clone(),
            reply: conclusion.reply,
            verdict: conclusion.verdict,
        };
        points::reach(Point::BeforeSettle, claimed.operation_type);
        let settled = self.store.settle(settlement).await;
        points::reach(Point::AfterSettle, claimed.operation_type);
        match settled {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(operation.id = %claimed.id, operation.attempt = claimed.attempt, "settled too late: the claim is lost, the answer is kept");
            }
            Err(error) => {
                tracing::error!(operation.id = %claimed.id, error = %chain(&error), "not settled; the lease will run out");
            }
        }
    }

    /// Prepares, commits and sends one attempt, and decides what came back. `None`: the claim is lost.
    async fn conclude(&self, claimed: &Claimed) -> Option<Conclusion> {
        let Some(entry) = operations::entry(claimed.operation_type) else {
            return Some(Conclusion::again(claimed, "unknown_type", None));
        };
        if claimed.lost >= LOST_AT_MOST {
            return Some(Conclusion::unsent(Verdict::Park {
                why: "ended_with_its_process",
            }));
        }
        let mut attempts = match self.history(claimed).await {
            Ok(attempts) => attempts,
            Err(conclusion) => return Some(conclusion),
        };
        let request = match resend(&attempts, claimed.key_number) {
            Some(request) => request,
            None => match self
                .prepare(Case {
                    claimed,
                    entry,
                    attempts: &attempts,
                })
                .await
            {
                Ok(request) => request,
                Err(conclusion) => return Some(conclusion),
            },
        };
        #[cfg(feature = "sabotage")]
        let request = super::sabotaged::by_external_id(request, claimed);
        let attempt = match self.send(claimed, request).await {
            Ok(Some(attempt)) => attempt,
            Ok(None) => return None,
            Err(conclusion) => return Some(conclusion),
        };
        attempts.push(attempt);
        Some(
            self.weigh(Case {
                claimed,
                entry,
                attempts: &attempts,
            })
            .await,
        )
    }

    async fn history(&self, claimed: &Claimed) -> Result<Vec<Attempt>, Conclusion> {
        if claimed.attempt == 1 {
            return Ok(Vec::new());
        }
        self.store
            .attempts(claimed.id)
            .await
            .map_err(|error| database_away(claimed, &error))
    }

    /// Commits the attempt, then sends it. `None`: the lease is gone, or too short for a call.
    async fn send(
        &self,
        claimed: &Claimed,
        request: Request,
    ) -> Result<Option<Attempt>, Conclusion> {
        points::reach(Point::BeforeAttemptCommit, claimed.operation_type);
        let started = self
            .store
            .start_attempt(StartAttempt {
                id: claimed.id,
                number: claimed.attempt,
                key_number: claimed.key_number,
                request: request.clone(),
            })
            .await
            .map_err(|error| database_away(claimed, &error))?;
        if !started
            || !self
                .held
                .has_left(claimed, self.settings.lease, Duration::ZERO)
        {
            return Ok(None);
        }
        let key = IdempotencyKey {
            id: claimed.id,
            number: claimed.key_number,
        };
        points::reach(Point::AfterAttemptCommit, claimed.operation_type);
        let sending = self.fineract.send(&request, key);
        let reply = points::on_the_wire(claimed.operation_type, sending).await;
        points::reach(Point::AfterAnswer, claimed.operation_type);
        Ok(Some(Attempt {
            number: claimed.attempt,
            key_number: claimed.key_number,
            request,
            reply: Some(reply),
            age: Duration::ZERO,
        }))
    }

    pub(super) fn note_success(&self) {
        *self
            .last_success
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether any operation of this process succeeded in the last `time`.
    pub(super) fn succeeded_within(&self, time: Duration) -> bool {
        let last = self
            .last_success
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < time)
    }
}

/// The command to send again, word for word, when one was sent under this key.
fn resend(attempts: &[Attempt], key_number: i32) -> Option<Request> {
    attempts
        .iter()
        .rev()
        .find(|attempt| attempt.key_number == key_number)
        .map(|attempt| attempt.request.clone())
}

/// The types this gateway runs; others wait for a gateway that does.
pub(super) fn types() -> Vec<String> {
    operations::REGISTRY
        .iter()
        .map(|entry| entry.operation_type.as_str().to_owned())
        .collect()
}

fn log(claimed: &Claimed, conclusion: &Conclusion) {
    let (state, why) = conclusion.summary();
    tracing::info!(
        operation.id = %claimed.id,
        operation.type = %claimed.operation_type,
        operation.attempt = claimed.attempt,
        operation.key = claimed.key_number,
        operation.state = state,
        fineract.status = conclusion.status(),
        why,
        duration_ms = u64::try_from(claimed.claimed_at.elapsed().as_millis()).unwrap_or(u64::MAX),
        "attempt concluded"
    );
}

fn database_away(claimed: &Claimed, error: &StoreError) -> Conclusion {
    tracing::warn!(operation.id = %claimed.id, error = %chain(error), "the database failed before anything was sent");
    Conclusion::again(claimed, "database_away", None)
}
