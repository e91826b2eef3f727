//! Every route answers `OPTIONS` and `HEAD` as RFC 9110 asks, and refuses other methods with `Allow`.

use std::collections::{BTreeMap, BTreeSet};

use fineract_gateway::http::routes;
use reqwest::Method;
use sqlx::PgPool;

use crate::support::{API_KEY, Answer, TestGateway};

/// The paths of all routes with their methods.
fn paths() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut paths: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (method, path, _) in routes() {
        let methods = paths.entry(path).or_default();
        if method == Method::GET {
            methods.insert("HEAD".to_owned());
        }
        methods.extend([method.to_string(), "OPTIONS".to_owned()]);
    }
    paths
}

fn allowed(answer: &Answer) -> BTreeSet<String> {
    answer
        .header("allow")
        .split(',')
        .map(str::to_owned)
        .collect()
}

#[sqlx::test]
async fn options_and_unknown_methods_are_answered_with_the_methods_of_the_path(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for (path, methods) in paths() {
        let prefixes: &[&str] = if path == "/metrics" {
            &[""]
        } else {
            &["", "/api/v1"]
        };
        for prefix in prefixes {
            let options =
                Answer::of(gateway.request(Method::OPTIONS, &format!("{prefix}{path}"))).await;
            assert_eq!(
                (options.status.as_u16(), options.text.as_str()),
                (204, ""),
                "{path}"
            );
            assert_eq!(allowed(&options), methods, "{path}");
            let unknown = [Method::DELETE, Method::PUT, Method::TRACE];
            for method in unknown
                .into_iter()
                .filter(|method| !methods.contains(method.as_str()))
            {
                let request = gateway.request(method, &format!("{prefix}{path}"));
                let request = request.header("Authorization", format!("Token {API_KEY}"));
                let answer = Answer::of(request).await;
                assert_eq!(answer.status, 405, "{path}: {}", answer.text);
                assert_eq!(allowed(&answer), methods, "{path}");
                assert!(
                    answer.text.contains("not support this method"),
                    "{path}: {}",
                    answer.text
                );
            }
        }
    }
}

#[sqlx::test]
async fn head_answers_as_get_without_the_body(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for path in [
        "/healthz",
        "/openapi.json",
        "/fineract/track/x",
        "/nowhere",
        "/docs/index.html",
    ] {
        let get = Answer::of(gateway.request(Method::GET, path)).await;
        let head = Answer::of(gateway.request(Method::HEAD, path)).await;
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.text, "", "{path}");
        for name in ["content-type", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
}
