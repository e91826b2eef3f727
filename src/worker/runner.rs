//! One operation, from its claim to its settle.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    blocked::Blocked,
    books::Books,
    case::Case,
    conclude::Conclusion,
    keys::Keys,
    leases::Leases,
    protect::{CircuitBreaker, Limiter},
    report,
    settings::Settings,
    watched::Watched,
};
use crate::{
    domain::Attempt,
    fineract::{Fineract, Permits},
    operations::{self, Deployment},
    points::{self, Point},
    store::{Claimed, Completion, KILLS_ITS_WORKER, Store},
    telemetry::chain,
};

/// Why an operation is parked that was sent before an operator confirmed that Fineract's books are others now.
const SENT_TO_OTHER_BOOKS: &str = "sent_to_other_books";

/// The most claims that may end with their process before a person has to look.
const LOST_AT_MOST: i16 = 5;

/// Operations that are held ready beside those under way and as many again.
const NEXT: usize = 8;

/// Runs claimed operations.
#[derive(Debug)]
pub struct Runner {
    pub(super) store: Store,
    pub(super) fineract: Fineract,
    pub(super) deployment: Arc<Deployment>,
    settings: Settings,
    circuit_breaker: CircuitBreaker,
    leases: Leases,
    pub(super) blocked: Blocked,
    pub(super) books: Books,
    pub(super) watched: Watched,
    pub(super) keys: Keys,
    pub(super) limiter: Arc<Limiter>,
    last_success: Mutex<Option<Instant>>,
    /// Held by the one operation that runs although processes died that held it.
    pub(super) suspects: tokio::sync::Mutex<()>,
}

impl Runner {
    /// A runner over these parts.
    pub fn new(
        store: Store,
        fineract: Fineract,
        deployment: Arc<Deployment>,
        settings: Settings,
        circuit_breaker: CircuitBreaker,
    ) -> Self {
        let limiter = Arc::new(Limiter::new(
            settings.max_in_flight,
            circuit_breaker.clone(),
        ));
        Self {
            store,
            fineract: fineract.observed_by(limiter.observer()),
            deployment,
            limiter,
            blocked: Blocked::default(),
            books: Books::default(),
            settings,
            circuit_breaker,
            leases: Leases::default(),
            watched: Watched::default(),
            keys: Keys::default(),
            last_success: Mutex::default(),
            suspects: tokio::sync::Mutex::default(),
        }
    }

    /// The same Fineract for reads on behalf of callers, and the permits that they take what is left of.
    pub fn reads(&self) -> (Fineract, Arc<Permits>) {
        (self.fineract.clone(), Arc::clone(self.limiter.permits()))
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn circuit_breaker(&self) -> &CircuitBreaker {
        &self.circuit_breaker
    }

    pub(super) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// The lenders that operations may name.
    pub(super) fn lenders(&self) -> Vec<String> {
        let names = self.deployment.lenders.iter().map(|(name, _)| name.clone());
        names.collect()
    }

    /// How many operations may be held: more than may be under way, so that the next is there when one
    /// ends, and few enough to leave the others to other processes.
    pub(super) fn capacity(&self) -> usize {
        2 * self.limiter.limit() + NEXT
    }

    /// Runs a claimed operation and settles it. What has not been sent when `stop` is cancelled is
    /// handed back.
    pub(super) async fn run(&self, claimed: Claimed, stop: &CancellationToken) {
        let conclusion = match self.admit(&claimed, stop).await {
            Ok(_admission) => self.conclude(&claimed).await,
            Err(conclusion) => Some(conclusion),
        };
        let conclusion = conclusion.unwrap_or_else(|| {
            tracing::warn!(operation.id = %claimed.id, operation.attempt = claimed.attempt, "its lease or its time ran out, or it is on hold; nothing was sent");
            // Where another holds it by now, this changes nothing.
            Conclusion::passed_over("handed_back", Duration::ZERO)
        });
        #[cfg(feature = "sabotage")]
        let conclusion = super::sabotaged::with_new_key(conclusion);
        report::conclusion(&claimed, &conclusion);
        let completion = Completion {
            id: claimed.id,
            attempt: claimed.attempt,
            lane_entries: claimed.lane_entries.clone(),
            reply: conclusion.reply,
            verdict: conclusion.verdict,
        };
        let state = completion.verdict.state();
        points::reach(Point::BeforeComplete, claimed.operation_type);
        if completion.verdict.takes_new_key() {
            points::reach(Point::BeforeNewKey, claimed.operation_type);
        }
        let completed = self.store.complete(completion).await;
        points::reach(Point::AfterComplete, claimed.operation_type);
        match completed {
            Ok(true) if state.is_end() => report::end(&claimed, state),
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(operation.id = %claimed.id, operation.attempt = claimed.attempt, "the lease was lost before the result was written; the answer is kept as evidence");
            }
            Err(error) => {
                tracing::error!(operation.id = %claimed.id, error = %chain(&error), "the result could not be written; the operation runs again when its lease has run out");
            }
        }
    }

    /// Prepares, commits and sends one attempt, and decides what came back. `None`: the claim is lost.
    async fn conclude(&self, claimed: &Claimed) -> Option<Conclusion> {
        // Nothing that Fineract shows says anything, unless its books are ours.
        if let Err(conclusion) = self.check_books(claimed).await {
            return Some(conclusion);
        }
        let Some(entry) = operations::entry(claimed.operation_type) else {
            return Some(Conclusion::again(claimed, "unknown_type", None));
        };
        let mut attempts = match self.history(claimed).await {
            Ok(attempts) => attempts,
            Err(conclusion) => return Some(conclusion),
        };
        let case = Case {
            claimed,
            entry,
            attempts: &attempts,
            audit: None,
        };
        if claimed.lost.max(claimed.deaths) >= LOST_AT_MOST && case.history().success().is_none() {
            return Some(Conclusion::park(if attempts.is_empty() {
                KILLS_ITS_WORKER
            } else {
                "ended_with_its_process"
            }));
        }
        if case.is_of_other_books() && case.history().success().is_none() {
            let resolved = match claimed.resolution {
                Some(resolution) => self.resolve(case, resolution).await.err(),
                None => None,
            };
            return Some(resolved.unwrap_or(Conclusion::park(SENT_TO_OTHER_BOOKS)));
        }
        let audit = match self.known_already(case).await {
            Ok(audit) => audit,
            Err(conclusion) => return Some(conclusion),
        };
        let case = Case { audit, ..case };
        if claimed.is_past_expiry && !case.history().may_have_run_under(claimed.key_number) {
            return Some(self.expire(case).await);
        }
        let trust = match self.require_keys(case).await {
            Ok(trust) => trust,
            Err(conclusion) => return Some(conclusion),
        };
        let prepared = match self.prepare(case, trust).await {
            Ok(prepared) => prepared,
            Err(conclusion) => return Some(conclusion),
        };
        #[cfg(feature = "sabotage")]
        let prepared = super::sabotaged::by_external_id(prepared, claimed);
        let attempt = match self.send(case, prepared).await {
            Ok(Some(attempt)) => attempt,
            Ok(None) => return None,
            Err(conclusion) => return Some(conclusion),
        };
        attempts.push(attempt);
        let case = Case {
            claimed,
            entry,
            attempts: &attempts,
            audit,
        };
        let conclusion = self.weigh(case).await;
        self.learn_of_keys(case, &conclusion).await;
        Some(if claimed.resolution.is_some() {
            conclusion.for_a_person()
        } else {
            conclusion
        })
    }

    async fn history(&self, claimed: &Claimed) -> Result<Vec<Attempt>, Conclusion> {
        if claimed.attempt == 1 {
            return Ok(Vec::new());
        }
        self.store
            .attempts(claimed.id)
            .await
            .map_err(|error| Conclusion::database_away(claimed, &error))
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
