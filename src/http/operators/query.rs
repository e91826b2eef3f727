//! The query of a list: the filter, which counts, CSV and repairs use as well, and the page.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    http::{
        api_error::ApiError,
        parameters::{invalid_parameter, one_of, read_parameters},
    },
    operations::Problem,
    store::{CountBy, ListCursor, ListRequest, OperationFilter, Sort, StateFilter},
};

/// The longest value of a condition, in characters.
const LONGEST: usize = 200;
const LARGEST_LIMIT: usize = 1_000;
const DEFAULT_LIMIT: usize = 100;

/// The query of a list or of counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct ListQuery {
    /// Which operations.
    pub(in crate::http) filter: OperationFilter,
    /// In which order.
    pub(in crate::http) sort: Option<Sort>,
    /// How many operations a page has at most.
    pub(in crate::http) limit: usize,
    /// Where the page begins.
    pub(in crate::http) cursor: Option<ListCursor>,
    /// By what the operations are counted.
    pub(in crate::http) by: Option<CountBy>,
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(pairs) = pairs.or(Err(ApiError::InvalidQuery(Vec::new())))?;
        Self::read(&pairs)
    }
}

impl ListQuery {
    /// Reads the parameters. The error lists every parameter that is unknown, repeated or has a wrong value.
    pub(in crate::http) fn read(pairs: &[(String, String)]) -> Result<Self, ApiError> {
        let mut query = Self {
            filter: OperationFilter::default(),
            sort: None,
            limit: DEFAULT_LIMIT,
            cursor: None,
            by: None,
        };
        read_parameters(pairs, |name, value| query.set(name, value))?;
        Ok(query)
    }

    /// What the query asks for.
    pub(in crate::http) fn request(self) -> ListRequest {
        ListRequest {
            filter: self.filter,
            sort: self.sort,
            limit: self.limit,
            after: self.cursor,
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "sort" => {
                self.sort = Some(one_of(value, &Sort::ALL, Sort::as_str)?);
            }
            "by" => {
                self.by = Some(one_of(value, &CountBy::ALL, CountBy::as_str)?);
            }
            "limit" => {
                let limit = value.parse().ok();
                let limit = limit.filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
                self.limit = limit.ok_or("must be a number from 1 to 1000")?;
            }
            "cursor" => {
                let cursor = value.parse();
                self.cursor = Some(cursor.or(Err("must be the next_cursor of a page"))?);
            }
            _ => set(&mut self.filter, name, value)?,
        }
        Ok(())
    }
}

/// Reads the conditions of a filter, as a query or a repair gives them. The error lists every problem.
pub(in crate::http) fn read_filter(
    pairs: impl Iterator<Item = (String, String)>,
) -> Result<OperationFilter, Vec<Problem>> {
    let mut filter = OperationFilter::default();
    let mut problems = Vec::new();
    for (name, value) in pairs {
        if let Err(must) = set(&mut filter, &name, &value) {
            problems.push(invalid_parameter(&format!("filter/{name}"), must));
        }
    }
    if problems.is_empty() {
        Ok(filter)
    } else {
        Err(problems)
    }
}

fn set(filter: &mut OperationFilter, name: &str, value: &str) -> Result<(), String> {
    match name {
        "state" => filter.state = Some(one_of(value, &StateFilter::ALL, StateFilter::as_str)?),
        "type" => filter.operation_type = Some(text(value)?),
        "lender" => filter.lender = Some(text(value)?),
        "caller" => filter.caller = Some(text(value)?),
        "reason_code" => filter.reason_code = Some(text(value)?),
        "lane" => filter.lane = Some(text(value)?),
        "external_id" => filter.external_id = Some(text(value)?),
        "q" => filter.q = Some(text(value)?),
        "batch" => {
            let batch = Uuid::try_parse(value).or(Err("must be the UUID of a batch"))?;
            filter.batch = Some(batch);
        }
        "accepted_after" => filter.accepted_after = Some(time(value)?),
        "accepted_before" => filter.accepted_before = Some(time(value)?),
        "ended_after" => filter.ended_after = Some(time(value)?),
        "ended_before" => filter.ended_before = Some(time(value)?),
        "sent" => filter.sent = Some(yes_or_no(value)?),
        "retried" => filter.retried = Some(yes_or_no(value)?),
        _ => return Err("is not known".to_owned()),
    }
    Ok(())
}

fn yes_or_no(value: &str) -> Result<bool, String> {
    value.parse().or(Err("must be true or false".to_owned()))
}

pub(super) fn text(value: &str) -> Result<String, String> {
    let value = value.trim();
    let is_valid = !value.is_empty() && value.chars().count() <= LONGEST && !value.contains('\0');
    if is_valid {
        Ok(value.to_owned())
    } else {
        Err("must have 1 to 200 characters".to_owned())
    }
}

pub(super) fn time(value: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(value).ok();
    // Postgres has no times before 4714 BC, and chrono has.
    let time = time.filter(|time| time.timestamp() >= 0);
    let must = "must be a time since 1970 with its offset, such as 2026-11-28T18:30:00Z";
    time.map(|time| time.to_utc())
        .ok_or_else(|| must.to_owned())
}
