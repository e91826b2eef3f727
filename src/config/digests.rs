//! Digests of the settings, so that operators see which settings differ between gateways.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Config, Fineract};

impl Config {
    /// A digest of the value of each setting that should be the same for all gateways on a database. Secrets are left out,
    /// and so are settings that belong to one process (`ROLE`, `HTTP_LISTEN` and the log).
    pub fn digests(&self) -> BTreeMap<&'static str, String> {
        let Self {
            http,
            database,
            fineract,
            worker,
            operations,
            webhooks,
            ..
        } = self;
        let mut values = vec![
            ("HTTP_BASE_PATH", format!("{:?}", http.base_paths)),
            ("BULK_MAX_ROWS", http.bulk_max_rows.to_string()),
            (
                "ADMISSION_MAX_WAITING",
                http.admission_max_waiting.to_string(),
            ),
            ("CURRENCY", http.currency.clone()),
            (
                "RETENTION_HOT_DAYS",
                format!("{:?}", database.retention.hot_for),
            ),
            (
                "RETENTION_DAYS",
                format!("{:?}", database.retention.kept_for),
            ),
            (
                "RETENTION_EXPORT_DIR",
                format!("{:?}", database.retention.export_to),
            ),
            ("WORKER_LEASE_SECONDS", format!("{:?}", worker.lease)),
            (
                "SHUTDOWN_GRACE_SECONDS",
                format!("{:?}", worker.shutdown_grace),
            ),
            (
                "FINERACT_STUCK_AFTER_SECONDS",
                format!("{:?}", worker.stuck_after),
            ),
            (
                "FINERACT_KEYS_KEPT_DAYS",
                format!("{:?}", worker.keys_kept_for),
            ),
            (
                "RETRY_PARK_AFTER_SECONDS",
                format!("{:?}", worker.park_after),
            ),
            ("FINERACT_OFFICE_ID", operations.office_id.to_string()),
            (
                "FINERACT_PAYMENT_TYPE",
                format!("{:?}", operations.payment_type),
            ),
            ("LENDERS", format!("{:?}", operations.lenders)),
            ("WEBHOOKS_ALLOW_HTTP", webhooks.allow_http.to_string()),
            (
                "WEBHOOKS_ALLOW_NETWORKS",
                format!("{:?}", webhooks.allow_networks),
            ),
        ];
        values.extend(fineract.iter().flat_map(of_fineract));
        let digests = values.into_iter().map(|(name, value)| {
            let digest = Sha256::digest(value.as_bytes());
            let beginning = digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
            (name, format!("{beginning:016x}"))
        });
        digests.collect()
    }
}

/// The settings of the connection to Fineract.
fn of_fineract(fineract: &Fineract) -> [(&'static str, String); 9] {
    [
        ("FINERACT_URL", fineract.url.to_string()),
        ("FINERACT_TENANT", fineract.tenant.clone()),
        (
            "FINERACT_IDEMPOTENCY_HEADER",
            fineract.idempotency_header.to_string(),
        ),
        ("FINERACT_USER", fineract.user.clone()),
        (
            "FINERACT_TIMEOUT_SECONDS",
            format!("{:?}", fineract.timeout),
        ),
        ("FINERACT_MAX_IN_FLIGHT", fineract.max_in_flight.to_string()),
        (
            "FINERACT_SINGLE_PROCESS",
            fineract.single_process.to_string(),
        ),
        ("FINERACT_MAKER_CHECKER", fineract.maker_checker.to_string()),
        (
            "FINERACT_LOAN_CREATE_PER_LENDER",
            fineract.loan_create_per_lender.to_string(),
        ),
    ]
}
