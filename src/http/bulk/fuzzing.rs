//! The rows of an upload that is in memory, for `fuzz/`.

use std::sync::Arc;

use super::{
    clients::BULK_CLIENT,
    rows::Rows,
    upload::{Format, read_rows, without_mark},
};
use crate::{
    domain::Owner,
    http::access::{Credentials, from_settings},
    operations::Deployment,
    store::RowContent,
};

/// The largest number of rows in one upload.
const LIMIT: usize = 100;

/// Reads an upload: `json`, `lines` or `csv`. Returns how many rows are valid and how many are refused, or `None` if the
/// upload cannot be read to its end.
pub(in crate::http) fn rows(
    format: &str,
    body: &[u8],
    deployment: Deployment,
) -> Option<(usize, usize)> {
    let format = match format {
        "json" => Format::Json,
        "lines" => Format::Lines,
        _ => Format::Csv,
    };
    let name: Arc<str> = "fuzz".into();
    let owner = Owner::BulkClient(Arc::clone(&name));
    let caller = from_settings(&Credentials::default(), name, owner, BULK_CLIENT);
    let mut rows = Rows::new(Arc::new(deployment), caller, LIMIT);
    let read = read_rows(without_mark(body), format, &mut rows);
    assert!(rows.taken.len() <= LIMIT, "more rows than allowed");
    let is_valid = |content: &RowContent| matches!(content, RowContent::Operation(_));
    let valid = rows.taken.iter().filter(|row| is_valid(&row.content));
    let valid = valid.count();
    let is_read = read.is_ok() && !rows.is_unreadable;
    is_read.then(|| (valid, rows.taken.len() - valid))
}
