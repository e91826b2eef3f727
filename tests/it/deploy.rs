//! The dashboards and alert rules of `deploy/`: they name only what `/metrics` gives, and they say what to do. promtool
//! checks and tests the rules too (see the `Makefile`).

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, path::Path};

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    authority::{Authority, write},
    command::TemporaryFolder,
    eventually::{eventually, eventually_ok},
    fixtures::{client, loan},
    system::System,
};

const DASHBOARDS: [&str; 2] = [
    "deploy/grafana/fineract.json",
    "deploy/grafana/operations.json",
];
const RULES: &str = "deploy/prometheus/alerts.yml";
const TESTS_OF_RULES: &str = "deploy/prometheus/alerts_test.yml";
const RUNBOOK: &str = "docs/OPERATING.md";

/// The labels that Prometheus adds to every metric.
const ADDED: [&str; 2] = ["instance", "job"];

/// The names of metrics, each with the names of its labels.
type Metrics = BTreeMap<String, BTreeSet<String>>;

#[sqlx::test]
async fn dashboards_and_rules_name_only_what_metrics_give(pool: PgPool) {
    let queries = queries();
    assert!(queries.len() > 40, "{queries:?}");
    let mut system = System::asking(&pool).await;
    // Some metrics are given only in trouble. First, Fineract ignores the keys of a kind of command.
    system
        .restart_with_keys(json!({ "ignored": ["CREATE_LOAN"] }))
        .await;
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("C-1")).await;
    gateway.send("LOAN_CREATE", loan("L-1", "C-1")).await;
    eventually("ignored keys are reported", async || {
        let metrics = gateway.get("/metrics").await.text;
        metrics.contains("gateway_keys_not_honoured{")
    })
    .await;
    gateway.shut_down().await;
    // Some metrics are those of a gateway with TLS.
    let folder = TemporaryFolder::new();
    let issued = Authority::new().issue(2040);
    system.set("TLS_CERT_FILE", &write(&folder, "c", &issued.certificate));
    system.set("TLS_KEY_FILE", &write(&folder, "k", &issued.key));
    system.gateway().await.shut_down().await;
    for name in ["TLS_CERT_FILE", "TLS_KEY_FILE"] {
        system.set(name, "");
    }
    // Then nobody answers at the address of Fineract. The metrics of both gateways are in one recorder.
    system.set("FINERACT_URL", "http://127.0.0.1:1/api/v1");
    let gateway = system.gateway().await;
    gateway.send("CLIENT_CREATE", client("C-2")).await;
    eventually_ok("every metric and label is given", async || {
        let given = metrics_in(&gateway.get("/metrics").await.text);
        let missing: BTreeSet<_> = queries
            .iter()
            .flat_map(|(place, query)| {
                let missing = missing(query, &given);
                missing.into_iter().map(move |what| (place, what))
            })
            .map(|(place, what)| format!("{place}: {what}"))
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(missing)
        }
    })
    .await;
}

#[test]
fn what_is_missing_is_found() {
    let given = metrics_in("# TYPE gateway_a gauge\ngateway_a{x=\"1\",y=\"2\"} 3\ngateway_b 4\n");
    for (query, expected) in [
        (r#"sum by (x, job) (gateway_a{y=~"2|3", job="j"})"#, vec![]),
        ("gateway_b + gateway_c", vec!["gateway_c"]),
        (r#"gateway_a{z!="1"}"#, vec!["gateway_a{z}"]),
        (
            "max by (x) (gateway_b) unless on (y) gateway_b",
            vec!["by x", "by y"],
        ),
    ] {
        assert_eq!(missing(query, &given), expected, "{query}");
    }
}

#[test]
fn dashboards_explain_themselves() {
    let mut uids = BTreeSet::new();
    for path in DASHBOARDS {
        let dashboard = dashboard(path);
        let pretty = serde_json::to_string_pretty(&dashboard).expect("JSON");
        assert!(read(path).trim_end() == pretty, "{path}: two spaces");
        assert!(dashboard["id"].is_null(), "{path}: Grafana gives the id");
        uids.insert(dashboard["uid"].as_str().expect("a uid").to_owned());
        let source = &dashboard["templating"]["list"][0];
        assert_eq!(source["name"], "datasource", "{path}");
        assert_eq!(source["type"], "datasource", "{path}");
        assert_eq!(source["query"], "prometheus", "{path}");
        let panels = dashboard["panels"].as_array().expect("panels");
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel:#}");
            let unit = &panel["fieldConfig"]["defaults"]["unit"];
            for text in [&panel["title"], &panel["description"], unit] {
                let is_there = text.as_str().is_some_and(|text| !text.is_empty());
                assert!(is_there, "{path}: {panel:#}");
            }
        }
    }
    assert_eq!(uids.len(), DASHBOARDS.len());
}

#[test]
fn every_alert_leads_to_what_to_do() {
    let runbook = read(RUNBOOK);
    let (_, chapter) = runbook.split_once("\n## Alerts\n").expect("the chapter");
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    let explained: BTreeSet<_> = chapter
        .split("\n### ")
        .skip(1)
        .map(|section| {
            let (heading, text) = section.split_once("\n\n").expect("a text");
            let alert = text.split('`').nth(1).expect("the alert's name");
            let anchor = heading.to_lowercase().replace(' ', "-");
            (alert.to_owned(), format!("{RUNBOOK}#{anchor}"))
        })
        .collect();
    let mut linked = BTreeSet::new();
    for (alert, text) in alerts() {
        let value = |key: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "))
        };
        for key in ["for", "severity", "summary", "description"] {
            assert!(value(key).is_some(), "{alert}: {key}");
        }
        let link = value("runbook_url").expect("a runbook_url");
        linked.insert((alert, link.to_owned()));
    }
    assert_eq!(linked, explained, "left: {RULES}; right: {RUNBOOK}");
}

#[test]
fn every_alert_is_tested_quiet_and_firing() {
    let tests = read(TESTS_OF_RULES);
    for (alert, _) in alerts() {
        let of_alert: String = tests
            .split("- name: ")
            .filter(|test| test.lines().next() == Some(alert.as_str()))
            .collect();
        let is_quiet = of_alert.contains("exp_samples: []");
        assert!(is_quiet, "{alert} has no test in which nothing fires");
        let fires = of_alert.contains(&format!("alertname=\"{alert}\""));
        assert!(fires, "{alert} has no test in which it fires");
    }
}

fn read(path: &str) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(whole).expect(path)
}

fn dashboard(path: &str) -> Value {
    serde_json::from_str(&read(path)).expect(path)
}

/// The alerts, each with the text of its rule.
fn alerts() -> Vec<(String, String)> {
    let rules = read(RULES);
    let alerts = rules.split("- alert: ").skip(1).map(|rule| {
        let (name, text) = rule.split_once('\n').expect("a rule");
        (name.to_owned(), text.to_owned())
    });
    alerts.collect()
}

/// All queries, each with the dashboard or alert to which it belongs.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for path in DASHBOARDS {
        let of_dashboard = expressions(&dashboard(path));
        queries.extend(
            of_dashboard
                .into_iter()
                .map(|query| (path.to_owned(), query)),
        );
    }
    for (alert, text) in alerts() {
        let (_, rest) = text.split_once(" expr: ").expect("a query");
        let (query, _) = rest.split_once(" for: ").expect("for how long");
        queries.push((alert, query.to_owned()));
    }
    queries
}

/// The queries of the panels and variables of a dashboard.
fn expressions(part: &Value) -> Vec<String> {
    match part {
        Value::Array(parts) => parts.iter().flat_map(expressions).collect(),
        Value::Object(entries) => entries
            .iter()
            .flat_map(|(key, part)| match part.as_str() {
                Some(query) if key == "expr" || key == "query" => vec![query.to_owned()],
                Some(_) | None => expressions(part),
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The metrics that a text names, and the labels in the braces behind them. The text is the answer of `/metrics`, or a
/// query.
fn metrics_in(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        for (at, _) in line.match_indices("gateway_") {
            let rest = &line[at..];
            let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            let (name, rest) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
            let braces = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let labels = braces.map_or("", |(labels, _)| labels);
            let known = metrics.entry(name.to_owned()).or_default();
            known.extend(names(labels).map(str::to_owned));
        }
    }
    metrics
}

/// The names in a list like `a, b` or `a="1",b!="2"`.
fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .filter_map(|item| item.split(['=', '!']).next())
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// What a query names and nobody gives: metrics, labels of a metric, and labels by which it groups.
fn missing(query: &str, given: &Metrics) -> Vec<String> {
    let mut missing = Vec::new();
    let mut all = BTreeSet::from(ADDED);
    for (name, labels) in metrics_in(query) {
        let Some(known) = given.get(&name) else {
            missing.push(name);
            continue;
        };
        all.extend(known.iter().map(String::as_str));
        for label in labels {
            if !known.contains(&label) && !ADDED.contains(&label.as_str()) {
                missing.push(format!("{name}{{{label}}}"));
            }
        }
    }
    let groups = [" by (", " on ("].map(|word| query.split(word).skip(1));
    for group in groups.into_iter().flatten() {
        let (labels, _) = group.split_once(')').expect("the end of a list");
        let unknown = names(labels).filter(|label| !all.contains(label));
        missing.extend(unknown.map(|label| format!("by {label}")));
    }
    missing
}
