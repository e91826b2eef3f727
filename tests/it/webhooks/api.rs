//! The routes of endpoints and deliveries.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Bed, receiver::Receiver};
use crate::{
    events::feed::as_lender,
    support::{Answer, database::eventually_true},
};

#[sqlx::test]
async fn an_endpoint_is_created_shown_changed_and_removed(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let created = json!({
        "url": "https://example.org/hooks", "description": "for the LOS", "event_types": ["operation.failed"],
        "headers": {"X-Key": "very-secret"}, "rate": 5, "ordered": true, "thin": true, "enabled": false
    });
    let answer = bed.ask(Method::POST, "/endpoints", &created).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let mut endpoint = answer.json();
    let id = endpoint["id"].as_str().unwrap().to_owned();
    assert_eq!(
        answer.headers["location"],
        format!("endpoints/{id}").as_str()
    );
    let secret = endpoint.as_object_mut().unwrap().remove("secret").unwrap();
    assert!(secret.as_str().unwrap().starts_with("whsec_"));
    assert_eq!(endpoint["header_names"], json!(["x-key"]));
    for (key, value) in created.as_object().unwrap() {
        assert!(
            key == "headers" || endpoint[key] == *value,
            "{key}: {endpoint}"
        );
    }

    // Neither the key nor the values of headers are shown again.
    let shown = bed
        .ask(Method::GET, &format!("/endpoints/{id}"), &Value::Null)
        .await;
    assert_eq!(shown.json(), endpoint);
    let listed = bed.ask(Method::GET, "/endpoints", &Value::Null).await;
    assert_eq!(listed.json(), json!({ "endpoints": [endpoint] }));

    let change = json!({ "event_types": null, "rate": null, "headers": {}, "description": "" });
    let changed = bed.at(&endpoint, Method::PATCH, "", change).await;
    for (key, value) in [
        ("event_types", json!(null)),
        ("rate", json!(null)),
        ("header_names", json!([])),
        ("description", json!("")),
    ] {
        endpoint[key] = value;
    }
    assert_eq!(changed, endpoint);
    let refused = bed
        .ask(
            Method::PATCH,
            &format!("/endpoints/{id}"),
            &json!({ "rate": 0 }),
        )
        .await;
    assert_eq!(refused.problem(), (422, "invalid_request".to_owned()));
    assert_eq!(
        bed.ask(Method::GET, &format!("/endpoints/{id}"), &Value::Null)
            .await
            .json(),
        endpoint
    );

    let removed = bed
        .ask(Method::DELETE, &format!("/endpoints/{id}"), &Value::Null)
        .await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    for (method, path) in [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::POST, "/test"),
    ] {
        let gone = bed
            .ask(method, &format!("/endpoints/{id}{path}"), &Value::Null)
            .await;
        assert_eq!(gone.problem(), (404, "unknown_webhook".to_owned()));
    }
}

#[sqlx::test]
async fn endpoints_and_deliveries_belong_to_their_owner(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    let delivery =
        bed.at(&endpoint, Method::POST, "/test", Value::Null).await["delivery_id"].clone();
    receiver.gets(1).await;
    let id = endpoint["id"].as_str().unwrap();
    let since = json!({ "since": "2026-01-01T00:00:00Z" });
    for (method, path, body) in [
        (Method::GET, format!("/endpoints/{id}"), Value::Null),
        (Method::PATCH, format!("/endpoints/{id}"), json!({})),
        (Method::POST, format!("/endpoints/{id}/rotate"), json!({})),
        (Method::POST, format!("/endpoints/{id}/test"), Value::Null),
        (Method::POST, format!("/endpoints/{id}/recover"), since),
        (
            Method::POST,
            format!("/deliveries/{delivery}/resend"),
            Value::Null,
        ),
        (Method::DELETE, format!("/endpoints/{id}"), Value::Null),
    ] {
        for owner in ["another caller", "a bulk client", "nobody"] {
            let request = bed
                .gateway
                .request(method.clone(), &format!("/webhooks{path}"));
            let request = match owner {
                "another caller" => request.header("X-Internal-Token", "bulk-secret"),
                "a bulk client" => as_lender(request),
                _ => request,
            };
            let answer = Answer::of(request.json(&body)).await;
            let expected = if owner == "nobody" { 401 } else { 404 };
            assert_eq!(
                answer.status, expected,
                "{owner}: {method} {path}: {}",
                answer.text
            );
        }
    }
    for path in ["/endpoints", "/deliveries"] {
        let request = bed
            .gateway
            .request(Method::GET, &format!("/webhooks{path}"));
        let answer = Answer::of(as_lender(request)).await.json();
        let lists = [&answer["endpoints"], &answer["deliveries"]];
        assert!(lists.contains(&&json!([])), "{answer}");
    }
    assert_eq!(bed.log("").await.len(), 1);
}

#[sqlx::test]
async fn a_body_or_a_query_that_makes_no_sense_is_refused_with_every_problem(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let answer = bed
        .ask(
            Method::POST,
            "/endpoints",
            &json!({ "url": "x", "rate": 0, "colour": 1 }),
        )
        .await;
    assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
    let problems = answer.json()["errors"].clone();
    let pointers: Vec<_> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| &problem["pointer"])
        .collect();
    assert_eq!(pointers, ["/url", "/rate", "/colour"]);
    let answer = bed
        .ask(
            Method::GET,
            "/deliveries?state=lost&limit=0&limit=1&x=1",
            &Value::Null,
        )
        .await;
    assert_eq!(answer.problem(), (400, "invalid_query".to_owned()));
    assert_eq!(
        answer.json()["errors"].as_array().unwrap().len(),
        4,
        "{}",
        answer.text
    );

    let endpoint = bed.endpoint(&Receiver::start().await, json!({})).await;
    let id = endpoint["id"].as_str().unwrap();
    for (path, body, code) in [
        (
            "rotate",
            json!({ "overlap_hours": 169 }),
            "invalid_rotation",
        ),
        ("rotate", json!({ "overlap": 1 }), "invalid_rotation"),
        ("recover", json!({}), "invalid_recovery"),
        (
            "recover",
            json!({ "since": "yesterday" }),
            "invalid_recovery",
        ),
    ] {
        let answer = bed
            .ask(Method::POST, &format!("/endpoints/{id}/{path}"), &body)
            .await;
        assert_eq!(answer.json()["errors"][0]["code"], code, "{body}");
    }
    for path in ["/deliveries/x/resend", "/deliveries/99/resend"] {
        let answer = bed.ask(Method::POST, path, &Value::Null).await;
        assert_eq!(answer.problem(), (404, "unknown_delivery".to_owned()));
    }
    bed.at(&endpoint, Method::PATCH, "", json!({ "enabled": false }))
        .await;
    let answer = bed
        .ask(Method::POST, &format!("/endpoints/{id}/test"), &Value::Null)
        .await;
    assert_eq!(answer.problem(), (409, "webhook_disabled".to_owned()));
}

#[sqlx::test]
async fn an_owner_has_at_most_twenty_endpoints(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let body = json!({ "url": "https://example.org" });
    // All at once.
    let answers = (0..25).map(|_| bed.ask(Method::POST, "/endpoints", &body));
    let answers = join_all(answers).await;
    let created = answers.iter().filter(|answer| answer.status == 201);
    assert_eq!(created.count(), 20);
    let refused = answers.iter().find(|answer| answer.status != 201).unwrap();
    assert_eq!(refused.problem(), (409, "too_many_webhooks".to_owned()));
    let request = bed.gateway.request(Method::POST, "/webhooks/endpoints");
    assert_eq!(Answer::of(as_lender(request).json(&body)).await.status, 201);
}

#[sqlx::test]
async fn changes_at_the_same_time_are_all_made(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let endpoint = bed.endpoint(&Receiver::start().await, json!({})).await;
    for (rate, thin) in [(1, true), (2, false), (3, true), (4, false)] {
        let changes = [
            json!({ "rate": rate }),
            json!({ "thin": thin }),
            json!({ "ordered": thin }),
        ];
        join_all(changes.map(|change| bed.at(&endpoint, Method::PATCH, "", change))).await;
        let shown = bed.at(&endpoint, Method::GET, "", Value::Null).await;
        let seen = (&shown["rate"], &shown["thin"], &shown["ordered"]);
        assert_eq!(seen, (&json!(rate), &json!(thin), &json!(thin)));
    }
}

#[sqlx::test]
async fn the_deliveries_of_a_removed_endpoint_are_deleted_later(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    receiver.gets(1).await;
    bed.newest("it is recorded", |newest| newest["state"] == "delivered")
        .await;
    let path = format!("/endpoints/{}", endpoint["id"].as_str().unwrap());
    assert_eq!(
        bed.ask(Method::DELETE, &path, &Value::Null).await.status,
        204
    );
    assert_eq!(bed.log("").await, Vec::<Value>::new());
    sqlx::query!("UPDATE webhook_endpoint SET removed_at = now() - interval '2 min'")
        .execute(&pool)
        .await
        .unwrap();
    let is_gone = "SELECT NOT EXISTS (SELECT FROM webhook_endpoint) AND NOT EXISTS (SELECT FROM webhook_delivery)
                      AND NOT EXISTS (SELECT FROM webhook_secret)";
    eventually_true(&pool, is_gone).await;
}
