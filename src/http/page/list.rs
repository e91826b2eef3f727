//! The list of operations: a filter bar, counts for each state, and the rows.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{filter::Filter, frame::Frame, render::html, row::Row, session::Session};
use crate::{
    http::{
        api_error::ApiError,
        operators::{ListQuery, operations_csv},
        state::ApiState,
    },
    operations::Problem,
    store::{Count, CountBy, ListCursor, ListPage, ListRequest, SavedView},
    telemetry::wall_clock,
};

/// How many operations a page has.
const ROWS: usize = 50;
/// The chips: what each shows, and its word in the filter.
const CHIPS: [(&str, &[&str]); 7] = [
    ("parked", &["parked"]),
    ("failed", &["failed"]),
    ("running", &["running"]),
    ("ready", &["ready"]),
    ("waiting", &["waiting"]),
    ("succeeded", &["succeeded"]),
    ("on_hold", &[]),
];

/// The address of a list.
#[derive(Deserialize)]
pub(super) struct Address {
    #[serde(default)]
    q: String,
    cursor: Option<String>,
    #[serde(default)]
    done: String,
}

/// A link to the same list with another state.
struct Chip {
    name: String,
    count: Option<String>,
    bar: String,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPageView {
    frame: Frame,
    bar: String,
    chips: Vec<Chip>,
    rows: Vec<Row>,
    problems: Vec<String>,
    next: Option<ListCursor>,
    is_first: bool,
    views: Vec<SavedView>,
    types: Vec<String>,
    lenders: Vec<String>,
    done: &'static str,
}

/// Shows the operations that match the filter.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
    Query(address): Query<Address>,
) -> Result<Response, ApiError> {
    let now = wall_clock();
    let filter = Filter::read(&address.q);
    let found = find(&api, &filter, address.cursor.as_deref(), now).await;
    let (page, problems) = match found {
        Ok(page) => (page, Vec::new()),
        Err(ApiError::Invalid(problems) | ApiError::InvalidQuery(problems)) => (
            ListPage {
                operations: Vec::new(),
                next_cursor: None,
            },
            in_words(&problems),
        ),
        Err(error) => return Err(error),
    };
    let rows = page.operations.into_iter();
    let view = ListPageView {
        frame: Frame::new(&api, &session, "/ops/operations", "Operations"),
        chips: chips(&api, &filter, now).await?,
        bar: filter.bar(),
        rows: rows
            .map(|listed| Row::new(listed, now, api.page.zone))
            .collect(),
        problems,
        next: page.next_cursor,
        is_first: address.cursor.is_none(),
        views: api.store.saved_views().await?,
        types: crate::domain::OperationType::ALL
            .iter()
            .map(ToString::to_string)
            .collect(),
        lenders: api
            .deployment
            .lenders
            .iter()
            .map(|(lender, _)| lender.clone())
            .collect(),
        done: match address.done.as_str() {
            "saved" => "The view is saved.",
            _ => "",
        },
    };
    Ok(html(&view))
}

/// Downloads the list as CSV, as the API writes it.
pub(super) async fn download(
    _: Session,
    State(api): State<Arc<ApiState>>,
    Query(address): Query<Address>,
) -> Result<Response, ApiError> {
    let query = query(&api, &Filter::read(&address.q), wall_clock())?;
    operations_csv(api, query).await
}

/// Reads the filter as the API does.
pub(super) fn query(
    api: &ApiState,
    filter: &Filter,
    now: DateTime<Utc>,
) -> Result<ListQuery, ApiError> {
    ListQuery::read(&filter.parameters(now, api.page.zone))
}

async fn find(
    api: &ApiState,
    filter: &Filter,
    cursor: Option<&str>,
    now: DateTime<Utc>,
) -> Result<ListPage, ApiError> {
    let mut parameters = filter.parameters(now, api.page.zone);
    parameters.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor.to_owned())));
    let request = ListRequest {
        limit: ROWS,
        ..ListQuery::read(&parameters)?.request()
    };
    Ok(api.store.list(&request).await?)
}

/// The chips with their counts. A filter that no index serves has chips without counts.
async fn chips(api: &ApiState, filter: &Filter, now: DateTime<Utc>) -> Result<Vec<Chip>, ApiError> {
    let without = filter.with("state", None);
    let counts = match query(api, &without, now) {
        Ok(query) => match api
            .store
            .count(&query.filter, CountBy::State)
            .await
            .map_err(ApiError::from)
        {
            Ok(counts) => counts,
            Err(ApiError::Invalid(_)) => Vec::new(),
            Err(error) => return Err(error),
        },
        Err(_) => Vec::new(),
    };
    let current = filter.get("state");
    let all = Chip {
        name: "all".to_owned(),
        count: None,
        bar: without.bar(),
        is_current: current.is_none(),
    };
    let chips = CHIPS.iter().map(|(name, states)| Chip {
        name: name.replace('_', " "),
        count: count(&counts, states),
        bar: filter.with("state", Some(name)).bar(),
        is_current: current == Some(name),
    });
    Ok(std::iter::once(all).chain(chips).collect())
}

fn count(counts: &[Count], states: &[&str]) -> Option<String> {
    let state = states.first()?;
    let found = counts.iter().find(|count| count.value == *state);
    Some(found.map_or_else(|| "0".to_owned(), |count| count.text.clone()))
}

/// The problems of a filter, in the words of the bar.
pub(super) fn in_words(problems: &[Problem]) -> Vec<String> {
    let problems = problems.iter().map(|problem| {
        let name = problem.pointer.trim_start_matches('/');
        if name.is_empty() {
            problem.message.clone()
        } else {
            format!("{name} {}", problem.message)
        }
    });
    problems.collect()
}
