//! Builds the parts of a gateway from its settings.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::open_files;
use crate::{
    config::{self, Config, NamedSecret},
    domain::decision::Patience,
    fineract::{Fineract, Permits},
    http::{
        ApiState, Balances, Budgets, Bulk, BulkClients, ConnectionLimits, Credentials,
        DatabaseProbe, Door, Page, Streams, Tokens, WrongSecrets,
    },
    operations::Deployment,
    store::{RetentionSettings, Store},
    webhooks::Guard,
    worker::{CircuitBreaker, Settings},
};

/// The longest time for which the gateway still accepts requests after it has become unready.
const MAX_NOTICE: Duration = Duration::from_secs(1);

/// How long load balancers have to notice the shutdown. Zero in a process without callers.
pub(super) fn notice(config: &Config) -> Duration {
    if config.role.serves_api() {
        MAX_NOTICE.min(config.worker.shutdown_grace / 10)
    } else {
        Duration::ZERO
    }
}

/// Where callers connect.
pub(super) fn door(settings: &config::Http, listener: TcpListener) -> Door {
    Door {
        listener,
        limits: ConnectionLimits {
            in_all: open_files::room_for(settings.max_connections),
            per_address: settings.max_connections_per_address,
        },
        tls: settings.tls.clone(),
    }
}

pub(super) fn deployment(config: &Config) -> Deployment {
    Deployment {
        office_id: config.operations.office_id,
        payment_type: config.operations.payment_type.clone(),
        lenders: config.operations.lenders.clone(),
    }
}

pub(super) fn retention(config: &Config) -> RetentionSettings {
    let retention = &config.database.retention;
    RetentionSettings {
        hot_for: retention.hot_for,
        kept_for: retention.kept_for,
    }
}

pub(super) fn settings(config: &Config) -> Settings {
    let fineract = config.fineract.as_ref();
    Settings {
        lease: config.worker.lease,
        max_in_flight: fineract.map_or(1, |fineract| fineract.max_in_flight),
        loan_create_per_lender: fineract
            .map_or(1, |fineract| fineract.loan_create_per_lender.into()),
        patience: Patience {
            stuck_after: config.worker.stuck_after,
        },
        keys_kept_for: config.worker.keys_kept_for,
        park_after: config.worker.park_after,
    }
}

pub(super) fn api_state(
    config: &Config,
    store: &Store,
    deployment: &Arc<Deployment>,
    circuit_breaker: &CircuitBreaker,
    draining: &CancellationToken,
) -> ApiState {
    let named = |secrets: &[NamedSecret]| -> Vec<_> {
        secrets
            .iter()
            .map(|secret| (secret.name.clone(), secret.secret.clone()))
            .collect()
    };
    ApiState {
        has_callers: config.role.serves_api(),
        store: store.clone(),
        database_probe: DatabaseProbe::default(),
        deployment: Arc::clone(deployment),
        credentials: Credentials::default(),
        wrong_secrets: WrongSecrets::default(),
        tokens: Tokens::new(
            &named(&config.http.internal_tokens),
            &named(&config.http.ops_tokens),
        ),
        api_keys: Tokens::of_api_keys(&named(&config.http.api_keys)),
        budgets: Budgets::default(),
        currency: config.http.currency.clone(),
        bulk: Bulk::off(),
        streams: Streams::default(),
        webhooks: Guard::new(&config.webhooks.allow_networks, config.webhooks.allow_http),
        page: Page::new(
            config.http.ops_time_zone,
            config.fineract.as_ref().map(|fineract| &*fineract.tenant),
        ),
        base_paths: config.http.base_paths.clone(),
        max_waiting: u64::try_from(config.http.admission_max_waiting).unwrap_or(u64::MAX),
        fineract: circuit_breaker.health(),
        lacks_read_audit: watch::channel(false).1,
        draining: draining.clone(),
    }
}

pub(super) fn bulk(config: &Config, reads: Option<(Fineract, Arc<Permits>)>) -> Bulk {
    Bulk::new(
        BulkClients::new(&config.http.bulk_clients),
        config.http.bulk_max_rows,
        reads.map(|(fineract, permits)| Balances::new(fineract, permits)),
    )
}
