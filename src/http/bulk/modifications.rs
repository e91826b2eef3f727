//! What a retry asks for: which rows, and with what other data. In JSON, or as a table, such as the
//! failed rows that were written out and corrected.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Query, rejection::QueryRejection};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    csv_rows::{self, Table, cell, cells},
    error::{BulkError, RowProblems},
    request::{Request, Whole, problem},
};
use crate::{
    http::error::ApiError,
    operations::{Deployment, Entry, Problem},
};

/// Columns of a table that are no part of a payload: the last three only tell why the row failed.
const OWN_COLUMNS: [&str; 7] = [
    "id",
    "status",
    "expires_at",
    "consent_id",
    "error_code",
    "error_message",
    "retry_eligible",
];

/// A request to send rows again.
#[derive(Debug)]
pub(super) struct RetryRequest {
    /// The batch.
    pub(super) reference_id: String,
    /// The rows; `None`: all that have failed.
    pub(super) records: Option<BTreeSet<i32>>,
    /// What is other than it was.
    pub(super) modifications: BTreeMap<i32, Modification>,
    /// Until when the rows may be sent, where neither they nor their modifications say otherwise.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// What is other than it was in one row.
#[derive(Debug)]
pub(super) struct Modification {
    /// The type, which only a row without a known one needs.
    pub(super) status: Option<String>,
    /// The payload.
    pub(super) data: NewData,
    /// Until when it may be sent.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// A new payload, as it was written.
#[derive(Debug)]
pub(super) enum NewData {
    /// In JSON.
    Json(Box<RawValue>),
    /// In the cells of a table: keys and texts.
    Cells(Vec<(String, String)>),
}

impl NewData {
    /// The payload, for an operation of this type.
    pub(super) fn into_payload(self, entry: &Entry, deployment: &Deployment) -> Box<RawValue> {
        match self {
            Self::Json(data) => data,
            Self::Cells(cells) => {
                let cells: Vec<(&str, &str)> = cells
                    .iter()
                    .map(|(key, text)| (key.as_str(), text.as_str()))
                    .collect();
                csv_rows::payload(Some(entry), &cells, deployment)
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: Whole<i32>,
    status: Option<String>,
    data: Box<RawValue>,
    expires_at: Option<DateTime<Utc>>,
}

impl RetryRequest {
    /// Reads `{reference_id, records?, modifications?, expires_at?}`. A modification names its row as well.
    pub(super) fn of_json(body: &[u8]) -> Result<Self, ApiError> {
        let mut request = Request::parse(body)?;
        let reference_id = request.required_name("reference_id").unwrap_or_default();
        let records: Option<BTreeSet<Whole<i32>>> =
            request.optional("records", "a list of whole numbers");
        let written: Vec<Written> = request
            .optional(
                "modifications",
                "a list of objects of id, data and perhaps status and expires_at",
            )
            .unwrap_or_default();
        let mut modifications = BTreeMap::new();
        let expires_at = request.optional("expires_at", TIME);
        for written in written {
            let Whole(id) = written.id;
            let modification = Modification {
                status: written.status,
                data: NewData::Json(written.data),
                expires_at: written.expires_at,
            };
            if modifications.insert(id, modification).is_some() {
                let message = format!("name record {id} more than once");
                request.note("modifications", "repeated_record", message);
            }
        }
        request.finish()?;
        let records = records.map(|records| {
            let named = records.into_iter().map(|Whole(id)| id);
            named.chain(modifications.keys().copied()).collect()
        });
        Ok(Self {
            reference_id,
            records,
            modifications,
            expires_at,
        })
    }

    /// Reads a table with the columns `id` and the payloads' keys: each of its rows is sent again with
    /// what it says. The batch is named by the query.
    pub(super) fn of_table(
        body: &[u8],
        parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
    ) -> Result<Self, ApiError> {
        let parameters = parameters
            .map(|Query(parameters)| parameters)
            .unwrap_or_default();
        let texts = parameters
            .into_iter()
            .filter_map(|(key, value)| Some((key, to_raw_value(&value).ok()?)));
        let mut request = Request::of(texts.collect());
        let reference_id = request.required_name("reference_id").unwrap_or_default();
        let expires_at = request.optional("expires_at", TIME);
        request.finish()?;
        let mut problems = RowProblems::default();
        let mut modifications = BTreeMap::new();
        match Table::open(body, &["id"]) {
            Ok(table) => read_table(table, &mut modifications, &mut problems),
            Err(header) => problems.add(None, header),
        }
        if !problems.is_empty() {
            return Err(BulkError::InvalidRows(problems).into());
        }
        Ok(Self {
            reference_id,
            records: Some(modifications.keys().copied().collect()),
            modifications,
            expires_at,
        })
    }
}

/// What a deadline has to be.
const TIME: &str = "a time with its offset (RFC 3339), such as 2026-01-11T10:00:00Z";

fn time(text: &str) -> Result<DateTime<Utc>, Problem> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .or(Err(problem(
            "/expires_at",
            "invalid_time",
            format!("must be {TIME}"),
        )))
}

fn read_table(
    mut table: Table<&[u8]>,
    modifications: &mut BTreeMap<i32, Modification>,
    problems: &mut RowProblems,
) {
    let mut number = 0;
    while let Some(record) = table.next() {
        number += 1;
        let record = match record {
            Ok(record) => record,
            Err(fault) => {
                problems.add(Some(number), vec![fault]);
                continue;
            }
        };
        let id = cell(&table.header, &record, "id").and_then(|id| id.parse().ok());
        let Some(id) = id else {
            let fault = problem("/id", "wrong_type", "must be a whole number");
            problems.add(Some(number), vec![fault]);
            continue;
        };
        let expires_at = match cell(&table.header, &record, "expires_at").map(time) {
            Some(Ok(time)) => Some(time),
            None => None,
            Some(Err(fault)) => {
                problems.add(Some(number), vec![fault]);
                continue;
            }
        };
        let cells = cells(&table.header, &record, &OWN_COLUMNS);
        let owned = cells
            .into_iter()
            .map(|(key, text)| (key.to_owned(), text.to_owned()));
        let modification = Modification {
            status: cell(&table.header, &record, "status").map(str::to_owned),
            data: NewData::Cells(owned.collect()),
            expires_at,
        };
        if modifications.insert(id, modification).is_some() {
            let fault = problem("/id", "repeated_record", "stands here more than once");
            problems.add(Some(number), vec![fault]);
        }
    }
}
