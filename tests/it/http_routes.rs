//! What holds for every route, over TCP.

use reqwest::{Method, header::ALLOW};
use sqlx::PgPool;

use crate::support::{Answer, TestGateway};

#[sqlx::test]
async fn a_path_or_method_that_is_not_there_is_a_problem_like_others(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for base_path in ["", "/api", "/api/v1"] {
        for (method, path, allowed) in [
            (Method::GET, "/fineract/operate", "POST"),
            (Method::POST, "/fineract/track/x", "GET,HEAD"),
            (Method::DELETE, "/readyz", "GET,HEAD"),
        ] {
            let request = gateway.request(method, &format!("{base_path}{path}"));
            let answer = Answer::of(request).await;
            assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
            assert_eq!(answer.headers[ALLOW], allowed, "{base_path}{path}");
        }
        for path in [
            "",
            "/",
            "/fineract",
            "/fineract/track/",
            "/fineract/operate/",
            "/a/b",
        ] {
            let request = gateway.request(Method::GET, &format!("{base_path}{path}"));
            let answer = Answer::of(request).await;
            assert_eq!(
                answer.problem(),
                (404, "unknown_route".to_owned()),
                "{base_path}{path}"
            );
        }
    }
}

#[sqlx::test]
async fn every_answer_bears_a_request_id_the_callers_if_it_is_sane(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let longest = "x".repeat(128);
    let too_long = "x".repeat(129);
    for path in ["/healthz", "/nowhere"] {
        for (given, is_kept) in [
            ("7f3a-1", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("two words", false),
            ("", false),
        ] {
            let request = gateway
                .request(Method::GET, path)
                .header("X-Request-Id", given);
            let id = Answer::of(request).await.header("x-request-id").to_owned();
            if is_kept {
                assert_eq!(id, given);
            } else {
                assert_eq!(id.len(), 36, "{given}: {id}");
            }
        }
        let one = Answer::of(gateway.request(Method::GET, path)).await;
        let two = Answer::of(gateway.request(Method::GET, path)).await;
        assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    }
}
