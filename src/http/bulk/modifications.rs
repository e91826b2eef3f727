//! The request to retry rows of a batch: which rows, and with which new data. The request is JSON or a CSV table, such
//! as the table of failed rows after a person has corrected it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::extract::{Query, rejection::QueryRejection};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    csv_payload::{self, CsvPayload},
    error::{At, BulkError, RowProblems},
    request::{Request, Whole, problem, table_problem},
};
use crate::{
    http::{
        api_error::ApiError,
        body::BODY_LIMIT,
        envelope::{self, TIME},
    },
    operations::{Deployment, Entry, Problem},
    table::{Cells, Table},
};

/// Columns that do not belong to the payload. The last three columns only show why the row failed; the gateway ignores
/// them.
const OWN_COLUMNS: [&str; 7] = [
    "id",
    "status",
    "expires_at",
    "consent_id",
    "error_code",
    "error_message",
    "retry_eligible",
];

/// A request to retry rows.
#[derive(Debug)]
pub(super) struct RetryRequest {
    /// The name of the batch.
    pub(super) reference_id: String,
    /// The numbers of the rows; `None` means all failed rows.
    pub(super) records: Option<BTreeSet<i32>>,
    /// The new data, by the number of the row.
    pub(super) modifications: BTreeMap<i32, Modification>,
    /// The time after which the gateway no longer sends a row. A time in the row's modification takes precedence.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// Whether the new data may name other clients and loans than before. In JSON, this is always permitted. In a
    /// table, it is permitted only with `allow_other_ids=true`, because spreadsheets change ids.
    pub(super) takes_other_ids: bool,
}

/// The new data of one row.
#[derive(Debug)]
pub(super) struct Modification {
    /// The operation type. It is required only if the gateway does not know the type of the row.
    pub(super) status: Option<String>,
    /// The new payload.
    pub(super) data: NewData,
    /// The time after which the gateway no longer sends the row.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl Modification {
    /// The cells of the row, if the request is a table.
    pub(super) fn cells(&self) -> Option<&NewCells> {
        match &self.data {
            NewData::Cells(cells) => Some(cells),
            NewData::Json(_) => None,
        }
    }
}

/// A new payload, in the format of the request.
#[derive(Debug)]
pub(super) enum NewData {
    /// A JSON object.
    Json(Box<RawValue>),
    /// The cells of a table.
    Cells(NewCells),
}

/// The cells of one row of the table.
#[derive(Debug)]
pub(super) struct NewCells {
    /// The columns and texts of the cells that are not empty.
    pub(super) filled: Vec<(String, String)>,
    /// The names of all columns of the table.
    pub(super) columns: Arc<[String]>,
}

impl NewData {
    /// Converts the new data into the payload of an operation of this type.
    pub(super) fn into_payload(self, entry: &Entry, deployment: &Deployment) -> CsvPayload {
        match self {
            Self::Json(data) => CsvPayload {
                data,
                problems: Vec::new(),
            },
            Self::Cells(cells) => {
                let cells: Vec<(&str, &str)> = cells
                    .filled
                    .iter()
                    .map(|(key, text)| (key.as_str(), text.as_str()))
                    .collect();
                csv_payload::payload(Some(entry), &cells, deployment)
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
    /// Reads `{reference_id, records?, modifications?, expires_at?}`. If the request has `records`, the rows that have
    /// a modification are added to them.
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
            takes_other_ids: true,
        })
    }

    /// Reads a table with the column `id` and a column for each key of the payloads. Every row of the table is retried
    /// with the payload in its cells. The query contains `reference_id`, and optionally `expires_at` and
    /// `allow_other_ids`.
    pub(super) fn of_table(
        body: &[u8],
        parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
    ) -> Result<Self, BulkError> {
        let parameters = parameters
            .map(|Query(parameters)| parameters)
            .unwrap_or_default();
        let texts = parameters
            .into_iter()
            .filter_map(|(key, value)| Some((key, to_raw_value(&value).ok()?)));
        let mut request = Request::of(texts.collect());
        let reference_id = request.required_name("reference_id").unwrap_or_default();
        let expires_at = request.optional("expires_at", TIME);
        let other_ids: Option<String> = request.optional("allow_other_ids", "a text");
        let takes_other_ids = other_ids.as_deref() == Some("true");
        if !takes_other_ids && other_ids.is_some_and(|word| word != "false") {
            request.note("allow_other_ids", "unknown_value", "must be true or false");
        }
        request.finish()?;
        let mut problems = RowProblems::default();
        let mut modifications = BTreeMap::new();
        match Table::open(body, &["id"], BODY_LIMIT) {
            Ok(table) => read_table(table, &mut modifications, &mut problems),
            Err((line, faults)) => {
                problems.add(
                    At::line(line),
                    faults.into_iter().map(table_problem).collect(),
                );
            }
        }
        if !problems.is_empty() {
            return Err(BulkError::InvalidRows(problems));
        }
        Ok(Self {
            reference_id,
            records: Some(modifications.keys().copied().collect()),
            modifications,
            expires_at,
            takes_other_ids,
        })
    }
}

fn read_table(
    mut table: Table<&[u8]>,
    modifications: &mut BTreeMap<i32, Modification>,
    problems: &mut RowProblems,
) {
    let columns: Arc<[String]> = table.columns().into();
    while let Some(row) = table.next_row() {
        let at = At {
            row: Some(row.number),
            line: Some(row.line),
        };
        let read = row
            .cells
            .map_err(table_problem)
            .and_then(|cells| read_row(&cells, &columns));
        match read {
            Err(fault) if row.is_broken => problems.put_first(at, vec![fault]),
            Err(fault) => problems.add(at, vec![fault]),
            Ok((id, modification)) => {
                if modifications.insert(id, modification).is_some() {
                    let fault = problem("/id", "repeated_record", "is listed more than once");
                    problems.add(at, vec![fault]);
                }
            }
        }
    }
}

fn read_row(cells: &Cells<'_>, columns: &Arc<[String]>) -> Result<(i32, Modification), Problem> {
    let id = cells.get("id").and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| problem("/id", "wrong_type", "must be a whole number"))?;
    let filled = cells
        .filled()
        .filter(|(name, _)| !OWN_COLUMNS.contains(name))
        .map(|(key, text)| (key.to_owned(), text.to_owned()));
    let cells_of_row = NewCells {
        filled: filled.collect(),
        columns: Arc::clone(columns),
    };
    let modification = Modification {
        status: cells.get("status").map(str::to_owned),
        data: NewData::Cells(cells_of_row),
        expires_at: cells.get("expires_at").map(envelope::time).transpose()?,
    };
    Ok((id, modification))
}
