//! Which settings are refused.

use axum::body::Bytes;
use serde_json::json;

use super::*;

fn read(body: &Value) -> Result<EndpointSettings, Vec<String>> {
    read_on(body, new_settings())
}

fn read_on(body: &Value, stored: EndpointSettings) -> Result<EndpointSettings, Vec<String>> {
    let body = JsonBody(Bytes::from(body.to_string()));
    match read_settings(&body, stored, &Guard::default()) {
        Ok(settings) => Ok(settings),
        Err(ApiError::Invalid(problems)) => Err(problems
            .into_iter()
            .map(|problem| problem.pointer)
            .collect()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_wrong_setting_is_named_at_once() {
    let wrong = json!({
        "url": "http://example.org", "description": "x".repeat(201), "event_types": [], "headers": {"Host": "x"},
        "rate": 0, "ordered": 1, "thin": null, "enabled": "yes", "a/b": 1
    });
    let expected = [
        "/url",
        "/description",
        "/event_types",
        "/headers",
        "/rate",
        "/ordered",
        "/thin",
        "/enabled",
        "/a~1b",
    ];
    assert_eq!(read(&wrong).unwrap_err(), expected);
    assert_eq!(read(&json!({})).unwrap_err(), ["/url"]);
}

#[test]
fn each_kind_of_wrong_value_is_refused() {
    for (key, value) in [
        ("url", json!(1)),
        (
            "url",
            json!(format!("https://example.org/{}", "x".repeat(2_000))),
        ),
        ("description", json!("a\0b")),
        ("event_types", json!("operation.failed")),
        (
            "event_types",
            json!(["operation.failed", "operation.renamed"]),
        ),
        ("event_types", json!([1])),
        ("headers", json!({ "webhook-id": "x" })),
        ("headers", json!({ "X Y": "x" })),
        ("headers", json!({ "X": "a\nb" })),
        ("headers", json!({ "X": "é" })),
        ("headers", json!({ "X": 1 })),
        ("headers", json!([])),
        (
            "headers",
            json!(
                (0..21)
                    .map(|n| (format!("x-{n}"), json!("x")))
                    .collect::<Map<_, _>>()
            ),
        ),
        ("rate", json!(1_001)),
        ("rate", json!(1.5)),
    ] {
        let mut body = json!({ "url": "https://example.org" });
        body[key] = value.clone();
        assert_eq!(read(&body).unwrap_err(), [format!("/{key}")], "{value}");
    }
}

#[test]
fn headers_do_not_go_to_another_host_unless_they_are_given_again() {
    let stored = EndpointSettings {
        url: "https://example.org/hooks".to_owned(),
        headers: [("x-key".to_owned(), "secret".to_owned())].into(),
        ..new_settings()
    };
    let without = EndpointSettings {
        headers: BTreeMap::new(),
        ..stored.clone()
    };
    let moved = "https://example.net/hooks";
    for (settings, change, expected) in [
        (&stored, json!({ "url": moved }), Err(vec!["/headers"])),
        (
            &stored,
            json!({ "url": "https://example.org:444/hooks" }),
            Err(vec!["/headers"]),
        ),
        (&stored, json!({ "url": moved, "headers": {} }), Ok(0)),
        (
            &stored,
            json!({ "url": moved, "headers": {"X-Key": "new"} }),
            Ok(1),
        ),
        (
            &stored,
            json!({ "url": "https://example.org/others" }),
            Ok(1),
        ),
        (&stored, json!({ "url": "x" }), Err(vec!["/url"])),
        (&without, json!({ "url": moved }), Ok(0)),
    ] {
        let read = read_on(&change, settings.clone());
        let read = read.map(|settings| settings.headers.len());
        let expected = expected
            .map_err(|pointers| pointers.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read, expected, "{change}");
    }
}

#[test]
fn settings_are_read() {
    let read = read(&json!({
        "url": "https://example.org", "description": "d", "event_types": ["batch.failed", "webhook.disabled"],
        "headers": {"X-Key": "secret"}, "rate": 10, "ordered": true, "thin": true, "enabled": false
    }));
    let expected = EndpointSettings {
        url: "https://example.org/".to_owned(),
        description: "d".to_owned(),
        event_types: Some(vec!["batch.failed".to_owned(), DISABLED.to_owned()]),
        headers: [("x-key".to_owned(), "secret".to_owned())].into(),
        rate: Some(10),
        ordered: true,
        thin: true,
        enabled: false,
    };
    assert_eq!(read.unwrap(), expected);
}
