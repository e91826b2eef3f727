//! Settings: the defaults, all problems at once by the names of the variables, and no secret in a message.

mod traces;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fineract_gateway::config::{Config, ConfigProblems, Role};
use secrecy::ExposeSecret;

const ENOUGH: [(&str, &str); 5] = [
    (
        "DATABASE_URL",
        "postgres://gateway:hush-database@db/gateway",
    ),
    ("INTERNAL_TOKENS", "los=hush-los"),
    (
        "FINERACT_URL",
        "https://fineract.example/fineract-provider/api/v1",
    ),
    ("FINERACT_USER", "gateway"),
    ("FINERACT_PASSWORD", "hush-fineract"),
];

/// Reads the settings [`ENOUGH`], with these changes.
fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigProblems> {
    let variables: BTreeMap<_, _> = ENOUGH.iter().chain(changes).copied().collect();
    Config::read(|name| variables.get(name).map(|value| (*value).to_owned()))
}

/// The variables that the error names, in order.
fn complaints(result: Result<Config, ConfigProblems>) -> Vec<&'static str> {
    let problems = result.err().map(|problems| problems.0).unwrap_or_default();
    problems.iter().map(|problem| problem.variable).collect()
}

#[test]
fn enough_settings_and_the_defaults() {
    let config = read(&[]).expect("nothing is wrong");
    assert_eq!(config.role, Role::All);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert!(config.http.base_paths.is_empty());
    assert_eq!(config.operations.lenders.len(), 9);
    assert_eq!(config.worker.lease.as_secs(), 50);
    let fineract = config.fineract.expect("a worker's way to Fineract");
    assert_eq!(
        fineract.url.join("clients").expect("a path").as_str(),
        "https://fineract.example/fineract-provider/api/v1/clients"
    );
    assert_eq!(
        (fineract.tenant.as_str(), fineract.max_in_flight),
        ("default", 32)
    );
    assert_eq!(fineract.timeout, Duration::from_secs(30));
    assert_eq!(fineract.idempotency_header, "idempotency-key");
}

#[test]
fn lists_are_read_entry_by_entry() {
    let config = read(&[
        ("INTERNAL_TOKENS", "los=old=, los=new ,other=x"),
        ("BULK_CLIENTS", "crm=id:hush:app:org"),
        ("LENDERS", "UGRO, DMI=DMI Personal"),
        ("HTTP_BASE_PATH", "/api/,/api/v1"),
    ])
    .expect("nothing is wrong");
    let tokens: Vec<_> = config
        .http
        .internal_tokens
        .iter()
        .map(|token| (token.name.as_str(), token.secret.expose_secret()))
        .collect();
    assert_eq!(tokens, [("los", "old="), ("los", "new"), ("other", "x")]);
    assert_eq!(
        config.http.bulk_clients[0].client_secret.expose_secret(),
        "hush"
    );
    assert_eq!(config.http.bulk_clients[0].organisation_id, "org");
    let lenders = [("UGRO", "UGRO"), ("DMI", "DMI Personal")];
    assert_eq!(
        config.operations.lenders,
        lenders.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    assert_eq!(config.http.base_paths, ["/api", "/api/v1"]);
}

/// Settings with one wrong value each.
const WRONG: &[(&str, &str)] = &[
    ("ROLE", "both"),
    ("HTTP_LISTEN", "8080"),
    ("HTTP_BASE_PATH", "api"),
    ("HTTP_BASE_PATH", "/api/{id}"),
    ("HTTP_BASE_PATH", "/api,/api/"),
    ("INTERNAL_TOKENS", "hush-without-a-name"),
    ("INTERNAL_TOKENS", "los=hush 1"),
    ("INTERNAL_TOKENS", "l os=hush"),
    ("INTERNAL_TOKENS", "los="),
    ("INTERNAL_TOKENS", ","),
    ("INTERNAL_TOKENS", "los=hush-1,los=hush-2,los=hush-3"),
    ("INTERNAL_TOKENS", "los=hush-1,other=hush-1"),
    ("OPS_TOKENS", "ops=hush-los"),
    ("API_KEYS", "los"),
    ("BULK_CLIENTS", "crm=id:hush:app"),
    ("BULK_CLIENTS", "crm=id::app:org"),
    ("BULK_MAX_ROWS", "0"),
    ("ADMISSION_MAX_WAITING", "-1"),
    ("CURRENCY", "rupees"),
    ("DATABASE_URL", ""),
    ("DATABASE_URL", "mysql://hush@db/gateway"),
    ("FINERACT_URL", ""),
    ("FINERACT_URL", "fineract.example"),
    ("FINERACT_URL", "ftp://fineract.example/api/v1"),
    ("FINERACT_URL", "https://user:hush@fineract.example/api/v1"),
    (
        "FINERACT_URL",
        "https://fineract.example/api/v1?tenantIdentifier=default",
    ),
    ("FINERACT_TENANT", "two words"),
    ("FINERACT_IDEMPOTENCY_HEADER", "two words"),
    ("FINERACT_IDEMPOTENCY_HEADER", "Authorization"),
    ("FINERACT_IDEMPOTENCY_HEADER", "fineract-platform-tenantid"),
    ("FINERACT_USER", " "),
    ("FINERACT_PASSWORD", ""),
    ("FINERACT_CA_FILE", "/no/such/file"),
    (
        "FINERACT_CA_FILE",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ),
    ("FINERACT_TIMEOUT_SECONDS", "half a minute"),
    ("FINERACT_MAX_IN_FLIGHT", "0"),
    ("FINERACT_LOAN_CREATE_PER_LENDER", "1.5"),
    ("FINERACT_OFFICE_ID", "Head Office"),
    ("LENDERS", "UGRO,=DMI"),
    ("LENDERS", "UGRO,UGRO=Ugro"),
    ("LENDERS", ","),
    ("WORKER_LEASE_SECONDS", "30"),
    ("SHUTDOWN_GRACE_SECONDS", "99999999999"),
    ("FINERACT_STUCK_AFTER_SECONDS", "x"),
    ("FINERACT_KEYS_KEPT_DAYS", "2"),
    ("FINERACT_SINGLE_PROCESS", "yes"),
    ("FINERACT_MAKER_CHECKER", "no"),
    ("RETRY_PARK_AFTER_SECONDS", "0"),
    ("LOG_FORMAT", "xml"),
    ("LOG_FILTER", "info,=="),
];

#[test]
fn every_bad_value_is_named_by_its_variable() {
    for &(variable, bad) in WRONG {
        let result = read(&[(variable, bad)]);
        let message = result
            .as_ref()
            .map_or_else(ToString::to_string, |_| "accepted".to_owned());
        assert_eq!(
            complaints(result),
            [variable],
            "{variable}={bad}: {message}"
        );
        assert!(!message.contains("hush"), "a secret is shown: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn all_problems_come_at_once() {
    let bad = [
        ("ROLE", "both"),
        ("INTERNAL_TOKENS", "los"),
        ("DATABASE_URL", ""),
        ("FINERACT_URL", ""),
        ("FINERACT_PASSWORD", ""),
        ("LOG_FORMAT", "xml"),
    ];
    assert_eq!(
        read(&bad).expect_err("much is wrong").to_string(),
        "wrong settings: ROLE is \"both\", not one of all, api, worker; INTERNAL_TOKENS has an \
         entry (number 1) that is not name=secret; DATABASE_URL is missing; \
         FINERACT_URL is missing; FINERACT_PASSWORD is missing; LOG_FORMAT is \"xml\", not one of \
         text, json"
    );
}

#[test]
fn a_role_needs_only_what_it_uses() {
    let no_fineract = [
        ("FINERACT_URL", ""),
        ("FINERACT_USER", ""),
        ("FINERACT_PASSWORD", ""),
    ];
    let mut api = no_fineract.to_vec();
    api.push(("ROLE", "api"));
    assert!(
        read(&api)
            .expect("an API without Fineract")
            .fineract
            .is_none()
    );
    assert_eq!(
        complaints(read(&[("ROLE", "api"), ("FINERACT_USER", "")])),
        ["FINERACT_USER"]
    );
    assert_eq!(
        complaints(read(&no_fineract)),
        no_fineract.map(|(variable, _)| variable)
    );
    for role in ["all", "api", "worker"] {
        let without_tokens = [("ROLE", role), ("INTERNAL_TOKENS", "")];
        read(&without_tokens).expect("callers may have keys in the database");
    }
}

#[test]
fn a_lease_outlasts_a_call() {
    let lease = |lease, timeout| {
        read(&[
            ("WORKER_LEASE_SECONDS", lease),
            ("FINERACT_TIMEOUT_SECONDS", timeout),
        ])
    };
    assert_eq!(complaints(lease("5", "5")), ["WORKER_LEASE_SECONDS"]);
    lease("6", "5").expect("a second to complete");
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let folder = Folder::new();
    let file = folder.0.join("tokens");
    fs::write(&file, "los=hush-1\nlos=hush-2\n").expect("a file");
    let path = file.to_str().expect("a path in UTF-8");
    let config = read(&[("INTERNAL_TOKENS", ""), ("INTERNAL_TOKENS_FILE", path)])
        .expect("tokens from a file");
    assert_eq!(
        config.http.internal_tokens[1].secret.expose_secret(),
        "hush-2"
    );
    assert!(!format!("{config:?}").contains("hush"), "{config:?}");

    for changes in [
        // Both the variable and the file.
        vec![("INTERNAL_TOKENS_FILE", path)],
        // A file that does not exist.
        vec![
            ("INTERNAL_TOKENS", ""),
            ("INTERNAL_TOKENS_FILE", "/no/such/file"),
        ],
        // An empty file.
        vec![
            ("INTERNAL_TOKENS", ""),
            ("INTERNAL_TOKENS_FILE", "/dev/null"),
        ],
    ] {
        assert_eq!(
            complaints(read(&changes)),
            ["INTERNAL_TOKENS"],
            "{changes:?}"
        );
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("config-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
