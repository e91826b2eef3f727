//! Delivers to one endpoint: what is due, in its order, at its pace.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Either, ready},
    stream::FuturesUnordered,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    body::{bodies, failure_told},
    receiver::receiver,
    schedule::{IN_TROUBLE, next_try, pause},
};
use crate::{
    domain::OperationId,
    http::state::ApiState,
    store::{DueDelivery, EventOwner, RunningEndpoint, StoreError, Try, What},
    telemetry::chain,
    webhooks::{Message, Receipt, Sender},
};

/// How many deliveries to one endpoint are under way at the same time.
const MOST_UNDER_WAY: usize = 100;

/// As long as more deliveries than this are under way, no others are looked for: they are read in groups.
const FEW_FREE: usize = MOST_UNDER_WAY - MOST_UNDER_WAY / 8;

/// The pause before the endpoint is looked at again, if nothing happens.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a delivery without an event fails.
const TOO_OLD: &str = "the event was deleted because of its age";

/// Delivers to one endpoint.
pub(super) struct Deliverer {
    api: ApiState,
    sender: Sender,
    process: Uuid,
    endpoint: Uuid,
    under_way: FuturesUnordered<BoxFuture<'static, Tried>>,
    /// The deliveries that are under way.
    ids: BTreeSet<i64>,
    /// How many tries had failed in a row when the endpoint was last read.
    failures: u32,
    /// When the second began in which `begun` deliveries have begun.
    second: Instant,
    begun: usize,
}

/// A delivery that was tried.
struct Tried {
    delivery: i64,
    failed_before: usize,
    failure_told: Option<OperationId>,
    receipt: Receipt,
}

impl Deliverer {
    pub(super) fn new(api: &ApiState, sender: &Sender, process: Uuid, endpoint: Uuid) -> Self {
        Self {
            api: api.clone(),
            sender: sender.clone(),
            process,
            endpoint,
            under_way: FuturesUnordered::new(),
            ids: BTreeSet::new(),
            failures: 0,
            second: Instant::now(),
            begun: 0,
        }
    }

    /// Delivers until `stop` is cancelled, or until the endpoint is disabled, removed or another process's.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut numbered = self.api.store.numbered_events();
        loop {
            let goes_on = !stop.is_cancelled() && self.begin_some().await;
            if !goes_on && self.under_way.is_empty() {
                return;
            }
            tokio::select! {
                Some(tried) = self.under_way.next() => self.end_some(tried).await,
                // An error means that the process ends.
                Ok(()) = numbered.changed(), if goes_on => {}
                () = sleep(PAUSE) => {}
                () = stop.cancelled(), if goes_on => {}
            }
        }
    }

    /// Begins the deliveries that are due. Returns whether the endpoint is still this process's.
    async fn begin_some(&mut self) -> bool {
        match self.try_to_begin().await {
            Ok(goes_on) => goes_on,
            Err(error) => {
                tracing::debug!(webhook.endpoint = %self.endpoint, error = %chain(&error), "webhooks could not be read; trying again");
                true
            }
        }
    }

    async fn try_to_begin(&mut self) -> Result<bool, StoreError> {
        if self.under_way.len() > FEW_FREE {
            return Ok(true);
        }
        let store = &self.api.store;
        let Some(endpoint) = store.running_webhook(self.process, self.endpoint).await? else {
            return Ok(false);
        };
        self.failures = endpoint.failures.unsigned_abs();
        let room = self.room(&endpoint);
        if room == 0 {
            return Ok(true);
        }
        let mut due = self.due(&endpoint, room).await?;
        if due.len() < room && self.api.store.plan_webhooks(self.endpoint).await? {
            due = self.due(&endpoint, room).await?;
        }
        self.begin(&endpoint, due).await?;
        Ok(true)
    }

    /// How many deliveries may begin now.
    fn room(&mut self, endpoint: &RunningEndpoint) -> usize {
        let under_way = self.under_way.len();
        let room = if endpoint.paused_for > 0.0 {
            0
        } else if self.failures >= IN_TROUBLE {
            1_usize.saturating_sub(under_way)
        } else {
            MOST_UNDER_WAY - under_way
        };
        if self.second.elapsed() >= Duration::from_secs(1) {
            self.second = Instant::now();
            self.begun = 0;
        }
        let rate = endpoint.rate.and_then(|rate| usize::try_from(rate).ok());
        room.min(rate.unwrap_or(usize::MAX).saturating_sub(self.begun))
    }

    async fn due(
        &mut self,
        endpoint: &RunningEndpoint,
        room: usize,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let under_way: Vec<_> = self.ids.iter().copied().collect();
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let store = &self.api.store;
        store
            .due_webhooks(self.endpoint, endpoint.ordered, &under_way, limit)
            .await
    }

    /// Begins these deliveries.
    async fn begin(
        &mut self,
        endpoint: &RunningEndpoint,
        due: Vec<DueDelivery>,
    ) -> Result<(), StoreError> {
        let events = due.iter().filter_map(|due| match &due.what {
            What::Event(event) => Some(event.clone()),
            What::Message(_) | What::Deleted => None,
        });
        let events: Vec<_> = events.collect();
        let bodies = match EventOwner::from_text(&endpoint.owner) {
            Some(owner) => bodies(&self.api, &owner, &events, endpoint.thin).await?,
            None => return Ok(()),
        };
        let mut bodies = bodies.into_iter();
        let receiver = Arc::new(receiver(endpoint));
        self.begun += due.len();
        for due in due {
            self.ids.insert(due.id);
            let (message, failure_told) = match due.what {
                What::Event(event) => {
                    let message = Message {
                        id: format!("evt_{}", event.number),
                        body: bodies.next().unwrap_or_default(),
                    };
                    (Some(message), failure_told(&event))
                }
                What::Message(body) => {
                    let id = format!("msg_{}", due.id);
                    (Some(Message { id, body }), None)
                }
                What::Deleted => (None, None),
            };
            let failed_before = match message {
                Some(_) => usize::try_from(due.tries).unwrap_or_default(),
                // There is nothing to try again.
                None => usize::MAX,
            };
            let (sender, receiver) = (self.sender.clone(), Arc::clone(&receiver));
            let receipt = match message {
                Some(message) => Either::Left(async move { sender.send(&receiver, message).await }),
                None => Either::Right(ready(Receipt::failed(TOO_OLD.to_owned()))),
            };
            let tried = receipt.map(move |receipt| Tried {
                delivery: due.id,
                failed_before,
                failure_told,
                receipt,
            });
            self.under_way.push(tried.boxed());
        }
        Ok(())
    }

    /// Records this delivery, and those that have ended as well.
    async fn end_some(&mut self, first: Tried) {
        let mut ended = vec![first];
        while let Some(Some(tried)) = self.under_way.next().now_or_never() {
            ended.push(tried);
        }
        let tries: Vec<_> = ended.iter().map(Tried::outcome).collect();
        let failed = tries
            .iter()
            .filter(|outcome| outcome.error.is_some())
            .count();
        let failures = self
            .failures
            .saturating_add(u32::try_from(failed).unwrap_or(u32::MAX));
        let asked = ended
            .iter()
            .filter_map(|tried| tried.receipt.retry_after)
            .max();
        let pause = pause(failures).max(asked.unwrap_or_default());
        let labels = [("delivered", tries.len() - failed), ("failed", failed)];
        for (outcome, count) in labels {
            metrics::counter!("gateway_webhook_tries_total", "outcome" => outcome)
                .increment(count as u64);
        }
        match self
            .api
            .store
            .record_webhooks(self.endpoint, &tries, pause)
            .await
        {
            Ok(None) => {}
            Ok(Some(because)) => {
                tracing::warn!(webhook.endpoint = %self.endpoint, because, "a webhook endpoint was disabled");
            }
            // The deliveries are still due, so they are sent once more.
            Err(error) => {
                tracing::warn!(webhook.endpoint = %self.endpoint, error = %chain(&error), "deliveries of webhooks could not be recorded; they are sent again");
                sleep(PAUSE).await;
            }
        }
        let told = ended.iter().filter(|tried| tried.receipt.is_delivered());
        let told: Vec<_> = told
            .filter_map(|tried| tried.failure_told.map(|id| id.0))
            .collect();
        if !told.is_empty()
            && let Err(error) = self.api.store.record_failures_read(&told).await
        {
            tracing::warn!(error = %chain(&error), "the gateway could not record that failures were told");
        }
        for tried in &ended {
            self.ids.remove(&tried.delivery);
        }
    }
}

impl Tried {
    fn outcome(&self) -> Try {
        let receipt = &self.receipt;
        Try {
            delivery: self.delivery,
            took: receipt.took,
            status: receipt.status,
            response: receipt.response.clone(),
            error: receipt.error.clone(),
            next: (!receipt.is_delivered())
                .then(|| next_try(self.failed_before, receipt.retry_after))
                .flatten(),
            is_gone: receipt.is_gone(),
        }
    }
}
