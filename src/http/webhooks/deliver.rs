//! Delivers to one endpoint: what is due, in its order, at its pace.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::{self, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    body::contents,
    receiver::receiver,
    schedule::IN_TROUBLE,
    tried::{Beginning, Tried, begin_span, trouble},
};
use crate::{
    domain::Owner,
    http::state::ApiState,
    store::{DueDelivery, RunningEndpoint, StoreError, What},
    telemetry::chain,
    traces::Span,
    webhooks::{Message, Sender},
};

/// How many deliveries to one endpoint are under way at the same time; and to one whose answers take longer than [`SLOW`].
const MOST_UNDER_WAY: usize = 100;
const MOST_IF_SLOW: usize = 20;
const SLOW: Duration = Duration::from_secs(2);

/// The pause before the endpoint is looked at again, if nothing happens, or if something went wrong.
const PAUSE: Duration = Duration::from_secs(1);

/// Delivers to one endpoint.
pub(super) struct Deliverer {
    api: ApiState,
    sender: Sender,
    process: Uuid,
    endpoint: Uuid,
    owner: Owner,
    /// The deliveries that are under way. Each is a task of its own: while this one waits for the database, answers arrive.
    under_way: JoinSet<Tried>,
    /// The ids of these deliveries.
    ids: HashMap<task::Id, i64>,
    /// How many tries had failed in a row when the endpoint was last read.
    failures: u32,
    is_slow: bool,
    /// When the second began in which `begun` deliveries have begun.
    second: Instant,
    begun: usize,
}

impl Deliverer {
    pub(super) fn new(
        api: &ApiState,
        sender: &Sender,
        process: Uuid,
        (endpoint, owner): (Uuid, Owner),
    ) -> Self {
        Self {
            api: api.clone(),
            sender: sender.clone(),
            process,
            endpoint,
            owner,
            under_way: JoinSet::new(),
            ids: HashMap::new(),
            failures: 0,
            is_slow: false,
            second: Instant::now(),
            begun: 0,
        }
    }

    /// Delivers until `stop` is cancelled, or until the endpoint is disabled, removed or another process's.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut reader = self.api.store.read_new_events();
        let owner = self.owner.to_string();
        loop {
            let goes_on = !stop.is_cancelled() && self.begin_some().await;
            if !goes_on && self.under_way.is_empty() {
                return;
            }
            tokio::select! {
                Some(tried) = self.under_way.join_next_with_id() => self.end_some(tried).await,
                () = reader.until_owner(&owner), if goes_on => {}
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
                tracing::warn!(webhook.endpoint = %self.endpoint, error = %chain(&error), "webhooks could not be read; trying again");
                sleep(PAUSE).await;
                true
            }
        }
    }

    async fn try_to_begin(&mut self) -> Result<bool, StoreError> {
        let most = if self.is_slow {
            MOST_IF_SLOW
        } else {
            MOST_UNDER_WAY
        };
        // They are read in groups.
        if self.under_way.len() > most - most / 8 {
            return Ok(true);
        }
        let store = self.api.store.clone();
        let Some(endpoint) = store.running_webhook(self.process, self.endpoint).await? else {
            return Ok(false);
        };
        self.failures = endpoint.failures.unsigned_abs();
        let room = self.room(&endpoint, most);
        if room == 0 {
            return Ok(true);
        }
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let under_way: Vec<_> = self.ids.values().copied().collect();
        let due = || store.due_webhooks(self.endpoint, endpoint.ordered, &under_way, limit);
        let mut found = due().await?;
        while found.len() < room && store.plan_webhooks(self.endpoint).await? {
            found = due().await?;
        }
        if found.is_empty() {
            return Ok(true);
        }
        // Read once more: a delivery that was added after a change of the settings or the keys is sent with the new ones.
        let endpoint = store.running_webhook(self.process, self.endpoint).await?;
        let Some(endpoint) = endpoint else {
            return Ok(false);
        };
        self.begin(&endpoint, found).await?;
        Ok(true)
    }

    /// How many deliveries may begin now.
    fn room(&mut self, endpoint: &RunningEndpoint, most: usize) -> usize {
        let under_way = self.under_way.len();
        let room = if endpoint.paused_for > 0.0 {
            0
        } else if self.failures >= IN_TROUBLE {
            1_usize.saturating_sub(under_way)
        } else {
            most.saturating_sub(under_way)
        };
        if self.second.elapsed() >= Duration::from_secs(1) {
            self.second = Instant::now();
            self.begun = 0;
        }
        let rate = endpoint.rate.and_then(|rate| usize::try_from(rate).ok());
        room.min(rate.unwrap_or(usize::MAX).saturating_sub(self.begun))
    }

    /// Begins these deliveries.
    async fn begin(
        &mut self,
        endpoint: &RunningEndpoint,
        due: Vec<DueDelivery>,
    ) -> Result<(), StoreError> {
        let (mut events, mut deleted) = (Vec::new(), Vec::new());
        for due in &due {
            match &due.what {
                What::Event(event) => events.push(event.clone()),
                What::Deleted => deleted.push(due.id),
                What::Message(_) => {}
            }
        }
        if !deleted.is_empty() {
            self.api.store.give_up_webhooks(&deleted).await?;
        }
        let contents = contents(&self.api, &self.owner, &events, endpoint.thin).await?;
        let mut contents = contents.into_iter();
        let receiver = Arc::new(receiver(endpoint));
        for due in due {
            let mut span = Span::default();
            let (id, body, failure) = match due.what {
                What::Event(event) => {
                    span = begin_span(self.endpoint, &event, due.trace_parent);
                    let Some(content) = contents.next() else {
                        continue;
                    };
                    (
                        format!("evt_{}", event.number),
                        content.body,
                        content.failure,
                    )
                }
                What::Message(body) => (format!("msg_{}", due.id), body, None),
                What::Deleted => continue,
            };
            let beginning = Beginning {
                delivery: due.id,
                failed_before: usize::try_from(due.tries).unwrap_or_default(),
                in_trouble: self.failures >= IN_TROUBLE,
                failure,
                receiver: Arc::clone(&receiver),
            };
            let message = Message {
                id,
                body,
                trace_parent: span.context(),
            };
            let sending = beginning.send(self.sender.clone(), message, span);
            let task = self.under_way.spawn(sending).id();
            self.ids.insert(task, due.id);
            self.begun += 1;
        }
        Ok(())
    }

    /// Records this delivery, and those that have ended as well.
    async fn end_some(&mut self, first: Result<(task::Id, Tried), task::JoinError>) {
        let mut ended = Some(first);
        let mut tasks = Vec::new();
        // The settings may have changed while they were under way.
        let mut by_url: BTreeMap<String, Vec<Tried>> = BTreeMap::new();
        while let Some(one) = ended {
            match one {
                Ok((task, tried)) => {
                    tasks.push(task);
                    let url = tried.beginning.receiver.url.clone();
                    by_url.entry(url).or_default().push(tried);
                }
                Err(error) => {
                    tracing::error!(webhook.endpoint = %self.endpoint, %error, "a delivery of a webhook failed; it is sent again");
                    tasks.push(error.id());
                }
            }
            ended = self.under_way.try_join_next_with_id();
        }
        for (url, tried) in by_url {
            if let Err(error) = self.record(&url, &tried).await {
                // The deliveries are still due.
                tracing::warn!(webhook.endpoint = %self.endpoint, error = %chain(&error), "deliveries of webhooks could not be recorded; they are sent again");
                sleep(PAUSE).await;
            }
        }
        for task in tasks {
            self.ids.remove(&task);
        }
    }

    async fn record(&mut self, url: &str, tried: &[Tried]) -> Result<(), StoreError> {
        self.is_slow = tried.iter().any(|tried| tried.receipt.took > SLOW);
        let outcomes: Vec<_> = tried.iter().map(Tried::outcome).collect();
        let failed = outcomes
            .iter()
            .filter(|outcome| outcome.error.is_some())
            .count();
        for (outcome, count) in [("delivered", outcomes.len() - failed), ("failed", failed)] {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            metrics::counter!("gateway_webhook_tries_total", "outcome" => outcome).increment(count);
        }
        let trouble = trouble(self.failures, tried);
        let recorded = self
            .api
            .store
            .record_webhooks((self.endpoint, url), &outcomes, trouble);
        if let Some(because) = recorded.await? {
            tracing::warn!(webhook.endpoint = %self.endpoint, because, "a webhook endpoint was disabled");
        }
        let delivered = tried.iter().filter(|tried| tried.receipt.is_delivered());
        let told = delivered.filter_map(|tried| tried.beginning.failure.map(|id| id.0));
        let told: Vec<_> = told.collect();
        if told.is_empty() {
            return Ok(());
        }
        self.api.store.record_failures_read(&told).await
    }
}
