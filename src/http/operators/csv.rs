//! Lists as CSV (`Accept: text/csv`). The file is streamed, so a large one needs no memory.

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

use crate::http::api_error::ApiError;

/// How many rows a file has at most.
const MOST_ROWS: usize = 100_000;
/// How many rows are read together.
pub(super) const PAGE: usize = 1_000;

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

/// A list as CSV, at most 100,000 rows. `fetch` reads the page after a cursor, or the first page. An error after the
/// first page breaks the connection, so that the caller notices that the file is not whole.
pub(super) async fn csv_file<R, C, F, P>(name: &str, mut fetch: F) -> Result<Response, ApiError>
where
    R: Serialize + Send + 'static,
    C: Send + 'static,
    F: FnMut(Option<C>) -> P + Send + 'static,
    P: Future<Output = Result<(Vec<R>, Option<C>), ApiError>> + Send,
{
    let first = fetch(None).await?;
    let start = (fetch, Some(first), 0);
    let parts = stream::try_unfold(start, async |(mut fetch, page, written)| {
        let Some((mut rows, next)): Option<(Vec<R>, Option<C>)> = page else {
            return Ok::<_, ApiError>(None);
        };
        rows.truncate(MOST_ROWS - written);
        let part = render(&rows, written == 0);
        let written = written + rows.len();
        let page = match next {
            Some(cursor) if written < MOST_ROWS => Some(fetch(Some(cursor)).await?),
            _ => None,
        };
        Ok(Some((part, (fetch, page, written))))
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.csv\""),
        ),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
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
