//! `POST /fineract/operate`, over TCP.

use fineract_gateway::domain::TrackingId;
use reqwest::{Method, StatusCode};
use sqlx::PgPool;

use crate::support::{Answer, OPS_TOKEN, TestGateway, fixtures::client_create};

#[sqlx::test]
async fn an_accepted_operation_is_durable_and_says_where_to_poll(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    // serde would write this text differently. The stored payload must be exactly the text that was sent.
    let data = r#"{ "lastname":"B\u0061dgujar", "firstname":"Jayesh",
        "externalId":"INC-1001", "activationDate":"01 January 2026" }"#;
    let body = format!(r#"{{"data": {data}, "status": "CLIENT_CREATE"}}"#);

    let answer = Answer::of(gateway.post("/api/v1/fineract/operate", body)).await;

    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let tracking_id: TrackingId = answer.json()["tracking_id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        answer.text,
        format!(r#"{{"tracking_id":"{tracking_id}","status":"processing"}}"#)
    );
    let location = format!("track/CLIENT_CREATE%7C{}", tracking_id.id);
    assert_eq!(answer.header("location"), location);
    let location = format!("/api/v1/fineract/{location}");
    assert_eq!(answer.header("retry-after"), "2");
    let stored = sqlx::query!(
        r#"SELECT o.type, p.caller, p.data::text AS "data!"
             FROM operation o JOIN payload p ON p.operation_id = o.id WHERE o.id = $1"#,
        tracking_id.id.0
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(stored.r#type, "CLIENT_CREATE");
    assert_eq!(stored.caller, "los");
    assert_eq!(stored.data, data);
    let polled = Answer::of(gateway.get(&location)).await;
    assert_eq!(polled.text, answer.text);
}

#[sqlx::test]
async fn a_request_without_a_known_token_is_refused_before_it_is_read(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let mut bodies = Vec::new();
    for token in [
        None,
        Some(""),
        Some("los"),
        Some("los-secre"),
        Some("los-secret-"),
    ] {
        let mut request = gateway
            .request(Method::POST, "/fineract/operate")
            .body("not json");
        if let Some(token) = token {
            request = request.header("X-Internal-Token", token);
        }
        let answer = Answer::of(request.header("X-Request-Id", "same")).await;
        assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
        assert!(answer.headers.contains_key("www-authenticate"));
        bodies.push(answer.text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the answers show why a token was refused");

    for token in ["los-secret", "los-next-secret", "bulk-secret", OPS_TOKEN] {
        let request = gateway
            .request(Method::POST, "/fineract/operate")
            .header("X-Internal-Token", token)
            .json(&client_create(token));
        assert_eq!(
            Answer::of(request).await.status,
            StatusCode::ACCEPTED,
            "{token}"
        );
    }
}

#[sqlx::test]
async fn a_body_must_be_said_to_be_json(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for (content_type, is_taken) in [
        (None, false),
        (Some("text/plain"), false),
        (Some("application/x-www-form-urlencoded"), false),
        (Some("application/jsonp"), false),
        (Some("application/json"), true),
        (Some("Application/JSON; charset=utf-8"), true),
    ] {
        let mut request = gateway
            .request(Method::POST, "/fineract/operate")
            .header("X-Internal-Token", OPS_TOKEN)
            .body("{}");
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        let expected = if is_taken {
            (422, "invalid_request")
        } else {
            (415, "not_json")
        };
        let (status, code) = Answer::of(request).await.problem();
        assert_eq!((status, code.as_str()), expected, "{content_type:?}");
    }
}

#[sqlx::test]
async fn a_body_may_have_64_kib(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let body = client_create("INC-1").to_string();
    let fitting = body.clone() + " ".repeat(64 * 1024 - body.len()).as_str();
    let answer = Answer::of(gateway.post("/fineract/operate", fitting.clone())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    for too_large in [format!("{fitting} "), " ".repeat(10_000_000)] {
        let answer = Answer::of(gateway.post("/fineract/operate", too_large)).await;
        assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));
    }
}

#[sqlx::test]
async fn what_is_no_json_is_refused_with_its_place(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for body in [
        "",
        " ",
        "{",
        r#"{"status": "CLIENT_CREATE",}"#,
        "{} {}",
        "{\"a\": \u{0}}",
        "nope",
    ] {
        let answer = Answer::of(gateway.post("/fineract/operate", body)).await;
        assert_eq!(answer.problem(), (400, "broken_json".to_owned()), "{body}");
        assert!(answer.text.contains("at line 1, column"), "{}", answer.text);
    }
    let not_utf8 = b"{\"status\": \"\xff\"}".to_vec();
    let answer = Answer::of(gateway.post("/fineract/operate", not_utf8)).await;
    assert_eq!(answer.problem(), (400, "broken_json".to_owned()));
}

#[sqlx::test]
async fn every_problem_of_a_request_is_told_at_once(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for (body, expected) in [
        ("[]", vec![("", "wrong_type")]),
        (r#""text""#, vec![("", "wrong_type")]),
        ("{}", vec![("/status", "required"), ("/data", "required")]),
        (
            r#"{"status": null, "data": null}"#,
            vec![("/status", "required"), ("/data", "required")],
        ),
        (
            r#"{"status": 7, "data": {}}"#,
            vec![("/status", "wrong_type")],
        ),
        (
            r#"{"status": "client_create", "data": {}}"#,
            vec![("/status", "unknown_value")],
        ),
        (
            r#"{"status": "CLIENT_CREATE", "data": [], "a/b~c": 1}"#,
            vec![("/a~1b~0c", "unknown_field"), ("/data", "wrong_type")],
        ),
        (
            r#"{"status": "CLIENT_CREATE", "status": "CLIENT_CREATE", "data": {"externalId": "a\u0000b"}}"#,
            vec![
                ("/status", "repeated_field"),
                ("/data/firstname", "required"),
                ("/data/lastname", "required"),
                ("/data/externalId", "forbidden_character"),
                ("/data/activationDate", "required"),
            ],
        ),
        (
            r#"{"status": "CLIENT_CREATE", "data": {"firstname": "J", "lastname": "B", "externalId": "E",
                "activationDate": "30 February 2026", "mobileNo": 7, "firstName": "J", "lastname": "C"}}"#,
            vec![
                ("/data/lastname", "repeated_field"),
                ("/data/mobileNo", "wrong_type"),
                ("/data/activationDate", "invalid_date"),
                ("/data/firstName", "unknown_field"),
            ],
        ),
    ] {
        let answer = Answer::of(gateway.post("/fineract/operate", body)).await;
        assert_eq!(
            answer.problem(),
            (422, "invalid_request".to_owned()),
            "{body}"
        );
        let errors = answer.json()["errors"].take();
        let found: Vec<(&str, &str)> = errors
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                (
                    error["pointer"].as_str().unwrap(),
                    error["code"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, expected, "{body}");
        assert!(
            errors
                .as_array()
                .unwrap()
                .iter()
                .all(|error| error["message"].is_string())
        );
    }
    let accepted = sqlx::query_scalar!("SELECT count(*) FROM operation")
        .fetch_one(&pool)
        .await;
    assert_eq!(accepted.unwrap(), Some(0));
}

#[sqlx::test]
async fn the_same_key_with_the_same_body_is_the_same_operation(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let body = client_create("INC-1").to_string();
    let post = |key: &'static str, body: &str| {
        gateway
            .post("/api/fineract/operate", body.to_owned())
            .header("Idempotency-Key", key)
    };

    let first = Answer::of(post("order-1", &body)).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(first.header("idempotency-replayed"), "");

    for key in ["order-1", "\"order-1\""] {
        let again = Answer::of(post(key, &body)).await;
        assert_eq!(again.status, StatusCode::OK);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.text, first.text);
    }

    let other = Answer::of(post("order-1", &client_create("INC-2").to_string())).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".to_owned()));

    let theirs = gateway
        .request(Method::POST, "/fineract/operate")
        .header("X-Internal-Token", "bulk-secret")
        .header("Idempotency-Key", "order-1")
        .json(&client_create("INC-3"));
    assert_eq!(Answer::of(theirs).await.status, StatusCode::ACCEPTED);

    let too_long = Answer::of(
        gateway
            .post("/fineract/operate", body)
            .header("Idempotency-Key", "k".repeat(256)),
    )
    .await;
    assert_eq!(
        too_long.problem(),
        (400, "invalid_idempotency_key".to_owned())
    );
    let accepted = sqlx::query_scalar!("SELECT count(*) FROM operation")
        .fetch_one(&pool)
        .await;
    assert_eq!(accepted.unwrap(), Some(2));
}

#[sqlx::test]
async fn too_much_waiting_is_told_with_a_time_to_come_back(pool: PgPool) {
    let gateway = TestGateway::start_with(pool, |state| state.max_waiting = 0).await;
    let answer =
        Answer::of(gateway.post("/fineract/operate", client_create("INC-1").to_string())).await;
    assert_eq!(answer.problem(), (429, "too_much_waiting".to_owned()));
    assert_eq!(answer.header("retry-after"), "10");
}

#[sqlx::test]
async fn without_a_database_the_caller_is_told_to_come_back_and_not_why(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    pool.close().await;
    let operate = gateway.post("/fineract/operate", client_create("INC-1").to_string());
    let answer = Answer::of(operate).await;
    assert_eq!(answer.problem(), (503, "database_unavailable".to_owned()));
    assert_eq!(answer.header("retry-after"), "5");
    let told = answer.text.to_lowercase();
    assert!(!told.contains("pool"), "{told}");
}
