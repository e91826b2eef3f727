//! Rules that apply to every route, over TCP.

use reqwest::{Method, Url, header::ALLOW};
use sqlx::PgPool;

use crate::support::{Answer, OPS_TOKEN, TestGateway, fixtures::client_create, operators::REASON};

#[sqlx::test]
async fn a_path_or_method_that_is_not_there_is_a_problem_like_others(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for base_path in ["", "/api", "/api/v1"] {
        for (method, path, allowed) in [
            (Method::GET, "/fineract/operate", "POST,OPTIONS"),
            (Method::GET, "/fineract/track/", "POST,OPTIONS"),
            (Method::POST, "/fineract/track/x", "GET,HEAD,OPTIONS"),
            (Method::DELETE, "/readyz", "GET,HEAD,OPTIONS"),
        ] {
            let request = gateway.request(method, &format!("{base_path}{path}"));
            let answer = Answer::of(request).await;
            assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
            assert_eq!(answer.headers[ALLOW], allowed, "{base_path}{path}");
        }
        for path in ["", "/", "/fineract", "/a/b"] {
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

#[sqlx::test]
async fn a_slash_at_the_end_of_a_path_does_not_count(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = gateway.accept(&client_create("C")).await;
    let uuid = id.split_once('|').unwrap().1;
    let operation = format!("/fineract/operations/{uuid}");
    for base_path in ["", "/api", "/api/v1"] {
        for (method, path, status) in [
            (Method::GET, "/healthz", 200),
            (Method::GET, "/readyz", 200),
            (Method::POST, "/fineract/operate", 415),
            (Method::GET, &format!("/fineract/track/{id}"), 200),
            (Method::GET, "/fineract/operations?state=parked", 200),
            (Method::GET, &operation, 200),
            (Method::POST, &format!("{operation}/hold"), 415),
            (Method::POST, &format!("{operation}/release"), 415),
            (Method::POST, &format!("{operation}/resolve"), 415),
            (Method::POST, &format!("{operation}/retry"), 415),
            (Method::POST, "/bulk/schedule", 401),
            (Method::POST, "/bulk/status", 401),
            (Method::POST, "/bulk/retry", 401),
            (Method::POST, "/bulk/cancel", 401),
            (Method::GET, &format!("/transactions/{uuid}"), 401),
        ] {
            let (bare, query) = path.split_once('?').unwrap_or((path, ""));
            for slashes in ["", "/", "//"] {
                let path = format!("{base_path}{bare}{slashes}?{query}");
                let request = gateway.request(method.clone(), &path);
                let answer = Answer::of(request.header("X-Internal-Token", OPS_TOKEN)).await;
                assert_eq!(answer.status, status, "{path}: {}", answer.text);
            }
        }
    }
    for (path, status) in [
        ("/metrics", 200),
        ("/metrics/", 200),
        ("//metrics", 200),
        ("/api/metrics", 404),
        ("/api//metrics", 404),
        ("/%6detrics", 404),
    ] {
        let metrics = gateway.request(Method::GET, path);
        assert_eq!(Answer::of(metrics).await.status, status, "{path}");
    }
}

/// A proxy before the gateway may remove a prefix of the path, or add one. `Location` must fit the caller's own URL.
#[sqlx::test]
async fn a_location_is_right_wherever_a_proxy_has_put_the_gateway(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let follow = async |method_path: String, answer: Answer, stripped: &str| {
        let theirs =
            Url::parse(&format!("https://lms.example.com{stripped}{method_path}")).unwrap();
        let led_to = theirs.join(answer.header("location")).unwrap();
        let path = led_to.path().strip_prefix(stripped).unwrap().to_owned();
        let request = gateway.request(Method::GET, &path);
        Answer::of(request.header("X-Internal-Token", OPS_TOKEN)).await
    };
    for (number, base_path) in ["", "/api"].into_iter().enumerate() {
        for (slashes, stripped) in [
            ("", ""),
            ("/", ""),
            ("", "/turno/mifos"),
            ("//", "/turno/mifos/"),
        ] {
            let path = format!("{base_path}/fineract/operate{slashes}");
            let body = client_create(&format!("C{number}-{}{}", slashes.len(), stripped.len()));
            let answer = Answer::of(gateway.post(&path, body.to_string())).await;
            assert_eq!(answer.status, 202, "{}", answer.text);
            let expected = answer.text.clone();
            let id = answer.json()["tracking_id"].as_str().unwrap().to_owned();
            let followed = follow(path, answer, stripped).await;
            assert_eq!(followed.text, expected);

            let path = format!("{base_path}/fineract/operations/{id}/hold{slashes}");
            let request = gateway.request(Method::POST, &path.replace('|', "%7C"));
            let request = request.json(&serde_json::json!({ "reason": REASON }));
            let answer = Answer::of(request.header("X-Internal-Token", OPS_TOKEN)).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let followed = follow(path, answer, stripped).await;
            assert_eq!(followed.json()["tracking_id"], id);
        }
    }
}
