//! Reads the settings of an endpoint from a body.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::DISABLED;
use crate::{
    http::{api_error::ApiError, json_body::JsonBody},
    operations::Problem,
    store::{EndpointSettings, EventType},
    webhooks::{Guard, have_same_origin},
};

pub(in crate::http) const LONGEST_URL: usize = 2_000;
pub(in crate::http) const LONGEST_DESCRIPTION: usize = 200;
pub(in crate::http) const MOST_HEADERS: usize = 20;
const LONGEST_HEADER: usize = 2_000;
pub(in crate::http) const FASTEST: i32 = 1_000;

/// The headers that the gateway or HTTP itself sets.
const RESERVED: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "traceparent",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// What a new endpoint has if its owner says nothing else.
pub(super) fn new_settings() -> EndpointSettings {
    EndpointSettings {
        url: String::new(),
        description: String::new(),
        event_types: None,
        headers: BTreeMap::new(),
        rate: None,
        ordered: false,
        thin: false,
        enabled: true,
    }
}

/// Reads settings: what the body has replaces what is in `settings`. The error lists all problems.
pub(super) fn read_settings(
    body: &JsonBody,
    mut settings: EndpointSettings,
    guard: &Guard,
) -> Result<EndpointSettings, ApiError> {
    let members: Map<String, Value> = body.read("invalid_endpoint", "must be a JSON object")?;
    let mut problems = Vec::new();
    if settings.url.is_empty() && !members.contains_key("url") {
        problems.push(problem("url", "must be given".to_owned()));
    }
    let before = settings.url.clone();
    for (key, value) in &members {
        if let Err(must) = set(&mut settings, key, value, guard) {
            problems.push(problem(key, must));
        }
    }
    let keeps_headers = !settings.headers.is_empty() && !members.contains_key("headers");
    if keeps_headers && !have_same_origin(&before, &settings.url) {
        let must =
            "must be given with a url of another host, which would get the headers of the old one";
        problems.push(problem("headers", must.to_owned()));
    }
    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(ApiError::Invalid(problems))
    }
}

fn problem(key: &str, message: String) -> Problem {
    Problem {
        pointer: format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        code: "invalid_endpoint",
        message,
    }
}

/// Sets one setting. The error says what the value must be.
fn set(
    settings: &mut EndpointSettings,
    key: &str,
    value: &Value,
    guard: &Guard,
) -> Result<(), String> {
    match key {
        "url" => settings.url = url(value, guard)?,
        "description" => settings.description = text(value, LONGEST_DESCRIPTION)?,
        "event_types" => settings.event_types = event_types(value)?,
        "headers" => settings.headers = headers(value)?,
        "rate" => settings.rate = rate(value)?,
        "ordered" => settings.ordered = boolean(value)?,
        "thin" => settings.thin = boolean(value)?,
        "enabled" => settings.enabled = boolean(value)?,
        _ => return Err("is not a setting of an endpoint".to_owned()),
    }
    Ok(())
}

fn boolean(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| "must be true or false".to_owned())
}

fn text(value: &Value, longest: usize) -> Result<String, String> {
    value
        .as_str()
        .filter(|text| text.chars().count() <= longest && !text.contains('\0'))
        .map(str::to_owned)
        .ok_or_else(|| format!("must be a text of at most {longest} characters"))
}

fn url(value: &Value, guard: &Guard) -> Result<String, String> {
    let text = text(value, LONGEST_URL)?;
    let url = guard.check(&text).map_err(|refused| refused.to_string())?;
    // Letters beyond ASCII become longer.
    self::text(&Value::String(url.into()), LONGEST_URL)
}

fn rate(value: &Value) -> Result<Option<i32>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let rate = value.as_i64().and_then(|rate| i32::try_from(rate).ok());
    match rate.filter(|rate| (1..=FASTEST).contains(rate)) {
        Some(rate) => Ok(Some(rate)),
        None => Err(format!(
            "must be null or a whole number from 1 to {FASTEST}"
        )),
    }
}

/// The names that `event_types` may contain.
pub(in crate::http) fn event_type_names() -> Vec<&'static str> {
    let events = EventType::ALL.into_iter().map(EventType::as_str);
    events.chain([DISABLED]).collect()
}

fn event_types(value: &Value) -> Result<Option<Vec<String>>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let known = event_type_names();
    let must = || format!("must be null, for all, or a list of {}", known.join(", "));
    let names = value
        .as_array()
        .filter(|names| !names.is_empty())
        .ok_or_else(must)?;
    let names = names.iter().map(|name| {
        let name = name.as_str().filter(|name| known.contains(name));
        name.map(str::to_owned).ok_or_else(must)
    });
    names.collect::<Result<_, _>>().map(Some)
}

fn headers(value: &Value) -> Result<BTreeMap<String, String>, String> {
    // The message contains no value, because a value may be a secret.
    let must = || {
        format!(
            "must be an object of at most {MOST_HEADERS} headers with visible ASCII values; not webhook-…, {}",
            RESERVED.join(", ")
        )
    };
    let members = value
        .as_object()
        .filter(|members| members.len() <= MOST_HEADERS);
    let members = members.ok_or_else(must)?.iter().map(|(name, value)| {
        let name = HeaderName::try_from(name.as_str()).or(Err(must()))?;
        let is_reserved =
            RESERVED.contains(&name.as_str()) || name.as_str().starts_with("webhook-");
        let value = value.as_str().filter(|value| {
            value.len() <= LONGEST_HEADER
                && HeaderValue::from_str(value).is_ok()
                && value.is_ascii()
        });
        let value = value.filter(|_| !is_reserved).ok_or_else(must)?;
        Ok((name.to_string(), value.to_owned()))
    });
    members.collect()
}

#[cfg(test)]
mod tests;
