//! Rules for the source tree that neither the compiler nor clippy checks.

mod circles;
mod citations;
mod operation_types;
mod reason_codes;
mod source;
mod words;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use fineract_gateway::config::Config;

use source::{Source, files_under, read_lossy, root};

/// The maximum number of lines in a file. A reader must be able to keep a whole file in mind.
const MOST_LINES: usize = 300;

/// The arrows of `ARCHITECTURE.md`: which module (a file or folder directly under `src/`) may use which modules.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "app",
            "config",
            "domain",
            "fineract",
            "http",
            "operations",
            "points",
            "sabotage",
            "store",
            "table",
            "telemetry",
            "tls",
            "traces",
            "webhooks",
        ],
    ),
    (
        "app",
        &[
            "config",
            "domain",
            "fineract",
            "http",
            "operations",
            "store",
            "telemetry",
            "webhooks",
            "worker",
        ],
    ),
    (
        "http",
        &[
            "config",
            "domain",
            "operations",
            "store",
            "table",
            "telemetry",
            "tls",
            "traces",
            "webhooks",
        ],
    ),
    (
        "worker",
        &[
            "config",
            "domain",
            "fineract",
            "operations",
            "points",
            "sabotage",
            "store",
            "telemetry",
            "traces",
        ],
    ),
    ("operations", &["domain", "sabotage"]),
    ("sabotage", &[]),
    ("points", &["domain"]),
    ("store", &["domain", "points", "sabotage", "telemetry"]),
    (
        "fineract",
        &["config", "domain", "telemetry", "tls", "traces"],
    ),
    ("config", &["domain", "operations", "tls"]),
    ("telemetry", &["config"]),
    ("table", &[]),
    ("tls", &[]),
    ("traces", &["config", "domain", "telemetry", "tls"]),
    ("webhooks", &["domain", "telemetry", "tls", "traces"]),
    ("domain", &[]),
    ("lib", &[]),
];

/// The only file that may use more than its module: the balances on a bulk page come from Fineract.
const EXCEPT: (&str, &str) = ("src/http/bulk/balances.rs", "fineract");

/// For each crate that belongs to one part of the gateway, the modules that may use it.
const CRATE_BELONGS_TO: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("axum", &["http"]),
    // `config` parses addresses and certificates with `reqwest`; `cli` is a client of the gateway's own API.
    (
        "reqwest",
        &["fineract", "config", "cli", "tls", "traces", "webhooks"],
    ),
    ("opentelemetry", &["traces"]),
    ("opentelemetry_sdk", &["config", "traces"]),
    ("opentelemetry_otlp", &["traces"]),
];

#[test]
fn modules_use_only_what_stands_below_them() {
    let mut offences = Vec::new();
    for file in Source::all("src") {
        let module = file.top_module();
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            offences.push(format!("{file}: {module} has no line in MAY_USE"));
            continue;
        };
        for used in file.modules_used() {
            let is_excepted = EXCEPT == (file.to_string().as_str(), used.as_str());
            if used != module && !allowed.contains(&used.as_str()) && !is_excepted {
                offences.push(format!("{file}: {module} uses {used}"));
            }
        }
        // The check above does not see a path that climbs two levels.
        if file.code.contains("super::super") {
            offences.push(format!("{file}: super::super; write crate:: instead"));
        }
    }
    assert_none(&offences);
}

#[test]
fn crates_are_used_where_they_belong() {
    let mut offences = Vec::new();
    for file in Source::all("src") {
        let module = file.top_module();
        for (name, modules) in CRATE_BELONGS_TO {
            if !modules.contains(&module.as_str()) && file.uses_crate(name) {
                offences.push(format!("{file}: {name} belongs to {}", modules.join(", ")));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn files_stay_short() {
    let files = ["src", "tests", "benches", "crates"]
        .into_iter()
        .flat_map(Source::all);
    let offences: Vec<_> = files
        .map(|file| (file.text.lines().count(), file))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, file)| format!("{file}: {lines} lines, more than {MOST_LINES}"))
        .collect();
    assert_none(&offences);
}

/// The only file in which tests may pause. It contains their deadline.
const WAITING: &str = "tests/it/support/eventually.rs";

#[test]
fn tests_wait_for_conditions_not_for_time() {
    let words = [
        concat!("::", "sleep"),
        concat!("yield", "_now"),
        concat!("inter", "val_at("),
        concat!("::inter", "val("),
        concat!("const DEAD", "LINE"),
    ];
    let mut offences = Vec::new();
    for file in ["tests", "crates/gateway-lab/tests"]
        .into_iter()
        .flat_map(Source::all)
    {
        if file.to_string() == WAITING {
            continue;
        }
        for word in words.iter().filter(|word| file.code.contains(**word)) {
            offences.push(format!("{file}: {word}, which only {WAITING} may use"));
        }
    }
    assert_none(&offences);
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore"),
    ];
    let mut offences = Vec::new();
    for folder in ["src", "tests", "benches", "crates", "migrations", "scripts"] {
        for path in files_under(&root().join(folder)) {
            let text = read_lossy(&path);
            for word in words.iter().filter(|word| text.contains(**word)) {
                offences.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn the_example_names_every_setting_and_no_other() {
    let asked = RefCell::new(BTreeSet::new());
    let refused = Config::read(|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    });
    assert!(refused.is_err(), "nothing is set");
    let mut asked = asked.into_inner();
    let all = asked.clone();
    // The variable for the file of a secret is explained only once, at the top of the example.
    asked.retain(|name| {
        !name
            .strip_suffix("_FILE")
            .is_some_and(|secret| all.contains(secret))
    });

    let example = read_lossy(&root().join(".env.example"));
    let named: BTreeSet<_> = example
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| {
            name.chars()
                .all(|letter| letter.is_ascii_uppercase() || letter == '_')
        })
        .collect();
    assert_eq!(
        named, asked,
        "left: .env.example; right: what Config::read asks for"
    );

    for name in all.difference(&asked) {
        assert!(
            example.contains(name.as_str()),
            ".env.example does not mention {name}"
        );
    }
}

#[test]
fn the_example_is_a_good_start() {
    let example = read_lossy(&root().join(".env.example"));
    // An explanation begins with "# ", a default with "#NAME=".
    let with_defaults = example
        .replace("\n# ", "\n//")
        .replace("\n#", "\n")
        .replace("\n//", "\n# ");
    for text in [example, with_defaults] {
        let variables: BTreeMap<_, _> = dotenvy::from_read_iter(text.as_bytes())
            .collect::<Result<_, _>>()
            .expect("every line is NAME=value");
        Config::read(|name| variables.get(name).cloned()).expect("a good start");
    }
}

fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}
