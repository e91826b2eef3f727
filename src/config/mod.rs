//! Reads all settings once, checks them together, and provides a typed section for each part of the gateway.
//!
//! This module does not read the environment: the caller of [`Config::read`] passes a lookup. An empty value counts as
//! unset. Every secret may also be read from the file that `NAME_FILE` names.

mod credentials;
mod digests;
mod http;
mod log;
mod partial;
mod reader;
mod retention;
mod tls;
mod traces;
mod values;
mod webhooks;

use std::time::Duration;

use reqwest::{Certificate, Identity, Url, header::HeaderName};
use secrecy::SecretString;

pub use self::credentials::{BulkClient, NamedSecret};
pub use self::http::Http;
pub use self::log::Log;
use self::reader::Reader;
pub use self::reader::{ConfigProblem, ConfigProblems};
pub use self::retention::Retention;
pub use self::traces::Traces;
pub use self::values::{LogFormat, Role};
pub use self::webhooks::Webhooks;

/// How much longer a lease must be than the longest call to Fineract. In this time the gateway completes the operation.
const LEASE_MARGIN: Duration = Duration::from_secs(1);

/// The largest value of a setting that is a number of seconds: ten years.
const LONGEST_SECONDS: u64 = 10 * 365 * 86_400;

/// All settings of a gateway process. The description of each setting ends with its default, in parentheses.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ROLE`: which parts of the gateway this process runs (`all`).
    pub role: Role,
    /// The interface for callers and operators.
    pub http: Http,
    /// The database that stores operations.
    pub database: Database,
    /// The connection to Fineract; always present if this process runs operations.
    pub fineract: Option<Fineract>,
    /// How the worker runs operations.
    pub worker: Worker,
    /// What the operations need to know of this deployment, such as the office and the lenders.
    pub operations: Operations,
    /// Where the gateway may deliver webhooks.
    pub webhooks: Webhooks,
    /// What is logged, and in which format.
    pub log: Log,
    /// Where traces are sent; `None` if they are off.
    pub traces: Option<Traces>,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Database {
    /// `DATABASE_URL`: the address of Postgres, directly or through a pooler in session mode.
    pub url: SecretString,
    /// `EVENTS_KEEP_DAYS`: how long it keeps events (30).
    pub events_kept_for: Duration,
    /// How long it keeps ended operations.
    pub retention: Retention,
}

/// The Fineract against which operations run.
#[derive(Debug, Clone)]
pub struct Fineract {
    /// `FINERACT_URL`: the address up to and including `/api/v1`; stored with a trailing slash for [`Url::join`].
    pub url: Url,
    /// `FINERACT_TENANT`: the tenant (`default`).
    pub tenant: String,
    /// `FINERACT_IDEMPOTENCY_HEADER`: the header from which Fineract takes a command's key; equal to Fineract's own
    /// setting `FINERACT_IDEMPOTENCY_KEY_HEADER_NAME` (`Idempotency-Key`).
    pub idempotency_header: HeaderName,
    /// `FINERACT_USER`: the gateway's user.
    pub user: String,
    /// `FINERACT_PASSWORD`: the password of this user.
    pub password: SecretString,
    /// `FINERACT_CA_FILE`: the certificates of a private CA, from a PEM file (the system's roots).
    pub certificates: Vec<Certificate>,
    /// `FINERACT_CLIENT_CERT_FILE` and `FINERACT_CLIENT_KEY_FILE`: the certificate that the gateway shows to Fineract,
    /// and its private key, from PEM files (none).
    pub identity: Option<Identity>,
    /// `FINERACT_TIMEOUT_SECONDS`: the longest duration of one call (30).
    pub timeout: Duration,
    /// `FINERACT_MAX_IN_FLIGHT`: the largest number of calls of this process at the same time (32).
    pub max_in_flight: usize,
    /// `FINERACT_SINGLE_PROCESS`: whether this Fineract is a single process, which means that its restart ends every
    /// running command (false).
    pub single_process: bool,
    /// `FINERACT_MAKER_CHECKER`: whether a command of the gateway may have to wait for a checker (true).
    pub maker_checker: bool,
    /// `FINERACT_LOAN_CREATE_PER_LENDER`: the largest number of `LOAN_CREATE` operations of one lender at the same
    /// time (2).
    pub loan_create_per_lender: u32,
}

/// The worker.
#[derive(Debug, Clone)]
pub struct Worker {
    /// `WORKER_LEASE_SECONDS`: how long a claimed operation belongs to this process (50).
    pub lease: Duration,
    /// `SHUTDOWN_GRACE_SECONDS`: how long operations in flight may take to end after SIGTERM (30).
    pub shutdown_grace: Duration,
    /// `FINERACT_STUCK_AFTER_SECONDS`: how long Fineract may answer 425 before the gateway reads Fineract (300).
    pub stuck_after: Duration,
    /// `FINERACT_KEYS_KEPT_DAYS`: how long Fineract keeps the keys of processed commands (30).
    pub keys_kept_for: Duration,
    /// `RETRY_PARK_AFTER_SECONDS`: how long an undecided operation is retried before it is parked (86400).
    pub park_after: Duration,
}

/// What the operations need to know of this deployment.
#[derive(Debug, Clone)]
pub struct Operations {
    /// `FINERACT_OFFICE_ID`: the office of new clients (1).
    pub office_id: i64,
    /// `FINERACT_PAYMENT_TYPE`: the payment type with which a UTR is stored as `receiptNumber`; without one, the UTR
    /// is stored in a note (unset).
    pub payment_type: Option<String>,
    /// `LENDERS`: the allowed values of `lenderConfig`, each with the name of its product (those of document 001).
    pub lenders: Vec<(String, String)>,
}

impl Config {
    /// Reads all settings by the names of their variables, and reports all problems together.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(&lookup);
        let role = reader.choice("ROLE", &Role::CHOICES).unwrap_or(Role::All);
        let http = Http::read(&mut reader);
        let database = Database::read(&mut reader);
        let fineract = Fineract::read(&mut reader, role);
        let worker = Worker::read(&mut reader);
        let operations = Operations::read(&mut reader);
        let webhooks = Webhooks::read(&mut reader);
        let log = Log::read(&mut reader);
        let traces = Traces::read(&mut reader);
        if let Some(fineract) = &fineract
            && worker.lease < fineract.timeout + LEASE_MARGIN
        {
            let problem = format!(
                "is {} s and must be longer than FINERACT_TIMEOUT_SECONDS, which is {} s: \
                 otherwise another process would take over operations that still run",
                worker.lease.as_secs(),
                fineract.timeout.as_secs()
            );
            reader.problem("WORKER_LEASE_SECONDS", problem);
        }
        let config = database.map(|database| Self {
            role,
            http,
            database,
            fineract,
            worker,
            operations,
            webhooks,
            log,
            traces,
        });
        reader.finish(config)
    }
}

impl Database {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let events_kept_for = reader.days("EVENTS_KEEP_DAYS", 30, 1);
        let retention = Retention::read(reader, events_kept_for);
        values::database_url(reader, "DATABASE_URL").map(|url| Self {
            url,
            events_kept_for,
            retention,
        })
    }
}

impl Fineract {
    /// Reads the settings of Fineract. `None` if there are problems, or if a process that only serves the API has no
    /// such settings.
    fn read(reader: &mut Reader<'_>, role: Role) -> Option<Self> {
        let url = values::base_url(reader, "FINERACT_URL");
        let needed = role.works_queue() || url.is_some() || reader.is_wrong("FINERACT_URL");
        let user = reader.text("FINERACT_USER");
        let password = reader.secret("FINERACT_PASSWORD");
        let tenant = values::header_value(reader, "FINERACT_TENANT", "default");
        let idempotency_header =
            values::key_header(reader, "FINERACT_IDEMPOTENCY_HEADER", "Idempotency-Key");
        let certificates = values::certificates(reader, "FINERACT_CA_FILE");
        let identity = tls::identity(reader, url.as_ref());
        let timeout = reader.seconds("FINERACT_TIMEOUT_SECONDS", 30, 1..=3_600);
        let max_in_flight = reader.number("FINERACT_MAX_IN_FLIGHT", 32, 1..=10_000);
        let loan_create_per_lender =
            reader.number("FINERACT_LOAN_CREATE_PER_LENDER", 2, 1..=10_000);
        let single_process = reader.boolean("FINERACT_SINGLE_PROCESS", false);
        let maker_checker = reader.boolean("FINERACT_MAKER_CHECKER", true);
        if needed {
            reader.require("FINERACT_URL", url.as_ref());
            reader.require("FINERACT_USER", user.as_ref());
            reader.require("FINERACT_PASSWORD", password.as_ref());
        }
        Some(Self {
            url: url?,
            tenant,
            idempotency_header: idempotency_header?,
            user: user?,
            password: password?,
            certificates,
            identity,
            timeout,
            max_in_flight,
            single_process,
            maker_checker,
            loan_create_per_lender,
        })
    }
}

impl Worker {
    fn read(reader: &mut Reader<'_>) -> Self {
        let any = 1..=LONGEST_SECONDS;
        Self {
            lease: reader.seconds("WORKER_LEASE_SECONDS", 50, any.clone()),
            shutdown_grace: reader.seconds("SHUTDOWN_GRACE_SECONDS", 30, 0..=LONGEST_SECONDS),
            stuck_after: reader.seconds("FINERACT_STUCK_AFTER_SECONDS", 300, any.clone()),
            keys_kept_for: reader.days("FINERACT_KEYS_KEPT_DAYS", 30, 3),
            park_after: reader.seconds("RETRY_PARK_AFTER_SECONDS", 86_400, any),
        }
    }
}

impl Operations {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            office_id: reader.number("FINERACT_OFFICE_ID", 1, 1..=i64::MAX),
            payment_type: reader.text("FINERACT_PAYMENT_TYPE"),
            lenders: values::lenders(reader, "LENDERS"),
        }
    }
}
