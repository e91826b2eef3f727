//! The recorded scenarios, and the changes that were made between the recorded requests.

use std::path::Path;

use fineract_sandbox::Release;
use serde_json::Value;

use super::recorded::parse;

const SCENARIOS: [&str; 22] = [
    "setup",
    "transport",
    "client-create",
    "client-update",
    "loan-create",
    "loan-create-refused",
    "loan-update",
    "loan-approve",
    "loan-disburse",
    "loan-disburse-tranches",
    "loan-delete",
    "overpayment",
    "idempotency",
    "idempotency-more",
    "crashed",
    "concurrency",
    "permissions",
    "lifecycle",
    "product-reads",
    "rules-more",
    "key-probes",
    "checkers",
];

/// The scenarios in which release 1.10.1 decides differently from the develop branch.
const SCENARIOS_1_10_1: [&str; 4] = [
    "checkers",
    "key-probes",
    "loan-disburse-tranches",
    "concurrency",
];

/// Changes that were made between the recorded requests, mostly by SQL. Here, a request makes each change before the
/// step with the given index. An entry contains the scenario, the index of the step, the route and the body.
pub(super) const BEFORE: [(&str, usize, &str, &str); 7] = [
    (
        "client-update",
        15,
        "/clients",
        r#"{"officeId": 1, "legalFormId": 1, "fullname": "U2", "externalId": "client.u2-x", "locale": "en"}"#,
    ),
    (
        "crashed",
        3,
        "/sandbox/locks",
        r#"{"externalId": "loan.cr-x"}"#,
    ),
    (
        "crashed",
        6,
        "/sandbox/locks",
        r#"{"externalId": "loan.cr-x", "locked": false}"#,
    ),
    (
        "crashed",
        8,
        "/sandbox/strand",
        r#"{"action": "DISBURSE", "entity": "LOAN", "key": "cr-abcdef-2"}"#,
    ),
    (
        "crashed",
        12,
        "/sandbox/strand",
        r#"{"action": "DELETE", "entity": "LOAN", "key": "cr-abcdef-3"}"#,
    ),
    (
        "permissions",
        8,
        "/sandbox/maker-checker",
        r#"["APPROVE_LOAN", "CREATE_CLIENT"]"#,
    ),
    (
        "checkers",
        5,
        "/sandbox/maker-checker",
        r#"["APPROVE_LOAN"]"#,
    ),
];

/// Paths with numbers, as the recordings contain them, and the paths with placeholders that replace them.
const NAMED: [(&str, &str); 8] = [
    ("/audits/1765", "/audits/{{command0}}"),
    ("/audits/1766", "/audits/{{command1}}"),
    ("/audits/1767", "/audits/{{command2}}"),
    ("/audits/1768", "/audits/{{command3}}"),
    ("/audits/765", "/audits/{{command0}}"),
    ("/audits/766", "/audits/{{command1}}"),
    ("/audits/767", "/audits/{{command2}}"),
    ("/audits/768", "/audits/{{command3}}"),
];

/// All scenarios, each with the release that was recorded.
pub(super) fn scenarios() -> impl Iterator<Item = (Release, &'static str)> {
    let of = |release| move |scenario| (release, scenario);
    let develop = SCENARIOS.into_iter().map(of(Release::Develop));
    develop.chain(SCENARIOS_1_10_1.into_iter().map(of(Release::V1_10_1)))
}

pub(super) fn recording(release: Release, name: &str) -> Value {
    let folder = match release {
        Release::Develop => "recorded",
        Release::V1_10_1 => "recorded-1.10.1",
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{folder}/{name}.json"));
    let text = std::fs::read_to_string(file).expect("a recording");
    let named = |text: String, (number, name): &(&str, &str)| text.replace(number, name);
    parse(&NAMED.iter().fold(text, named)).expect("JSON")
}
