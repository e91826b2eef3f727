//! Lists as CSV (`Accept: text/csv`). The file is streamed, so a large one needs no memory.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap,
        header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;

use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::{ListError, ListPage, ListRequest},
};

/// How many rows a file has at most.
const MOST_ROWS: usize = 100_000;
/// How many rows are read together.
const PAGE: usize = 1_000;

/// Whether the caller asks for CSV.
pub(super) fn wants_csv(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter();
    let mut types = accepts
        .filter_map(|accept| accept.to_str().ok())
        .flat_map(|accept| accept.split(','));
    types.any(|media_type| {
        let media_type = media_type.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("text/csv")
    })
}

/// A list of operations as CSV, at most 100,000 rows. An error after the first rows breaks the connection, so that the
/// caller notices that the file is not whole.
pub(super) async fn operations_csv(
    api: Arc<ApiState>,
    mut request: ListRequest,
) -> Result<Response, ApiError> {
    request.limit = PAGE;
    let first = api.store.list(&request).await?;
    let start = Progress {
        api,
        request,
        page: Some(first),
        rows: 0,
    };
    let parts = stream::try_unfold(start, Progress::next);
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"operations.csv\"",
        ),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// How far a file has been written.
struct Progress {
    api: Arc<ApiState>,
    request: ListRequest,
    /// The page to write next; `None` at the end.
    page: Option<ListPage>,
    rows: usize,
}

impl Progress {
    /// The next part of the file.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ListError> {
        let Some(page) = self.page.take() else {
            return Ok(None);
        };
        let left = MOST_ROWS.saturating_sub(self.rows);
        let rows = page.operations.get(..left).unwrap_or(&page.operations);
        let part = render(rows, self.rows == 0 && self.request.after.is_none());
        self.rows += rows.len();
        self.request.after = page.next_cursor;
        if page.next_cursor.is_some() && self.rows < MOST_ROWS {
            self.page = Some(self.api.store.list(&self.request).await?);
        }
        Ok(Some((part, self)))
    }
}

/// Rows as CSV. Their fields are the columns.
fn render(rows: &[impl Serialize], with_header: bool) -> Bytes {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let mut with_header = with_header;
    for row in rows {
        // A row of a list is an object of texts, numbers and times, which always serializes.
        let Ok(Value::Object(fields)) = serde_json::to_value(row) else {
            continue;
        };
        if with_header {
            // Writing into memory does not fail.
            drop(writer.write_record(fields.keys()));
            with_header = false;
        }
        drop(writer.write_record(fields.values().map(cell)));
    }
    Bytes::from(writer.into_inner().unwrap_or_default())
}

/// A cell. A spreadsheet would run a text that begins like a formula, so such a text gets a `'` in front.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        let rows = ["=1+1", "+1", "-1", "@x", "\tx", "a=b", "a,\"b\"", ""]
            .map(|text| json!({ "lane": text }));
        let expected = "lane\n'=1+1\n'+1\n'-1\n'@x\n'\tx\na=b\n\"a,\"\"b\"\"\"\n\"\"\n";
        assert_eq!(render(&rows, true), expected);
    }
}
