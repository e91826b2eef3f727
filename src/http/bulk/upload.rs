//! Reads an upload while it arrives, row by row. The file is never in memory as a whole.

use std::io::{self, Cursor, Read};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header::CONTENT_TYPE},
};
use futures_util::StreamExt as _;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{csv_rows, error::BulkError, json_rows, request::problem, rows::Rows, state::Place};
use crate::{
    http::{
        api_error::ApiError,
        body::{UPLOAD_LIMIT, unreadable},
        json_value::RowsDigest,
    },
    store::BodyDigest,
    table::without_byte_order_mark,
};

/// How many pieces of the body may wait for the reader.
const PIECES: usize = 8;

/// The format of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object, whose `operations` are the rows.
    Json,
    /// One JSON object per line (NDJSON).
    Lines,
    /// A table with a header row.
    Csv,
}

impl Format {
    /// The format that `Content-Type` names.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = value.split(';').next()?.trim().to_ascii_lowercase();
        match media_type.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-ndjson" => Some(Self::Lines),
            "text/csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// An upload that has been read.
#[derive(Debug)]
pub(super) struct Upload {
    /// The members of the upload other than its rows; empty unless the format is JSON.
    pub(super) around: Vec<(String, Box<RawValue>)>,
    /// The rows, already checked.
    pub(super) rows: Rows,
    /// The digest of the body.
    pub(super) digest: BodyDigest,
}

/// Reads an upload, and checks its rows while it arrives.
pub(super) async fn read(
    body: Body,
    format: Format,
    mut rows: Rows,
    place: &Place,
) -> Result<Upload, BulkError> {
    let (sender, pieces) = mpsc::channel(PIECES);
    let reading = place.compute(move || {
        let pieces = Pieces {
            pieces,
            current: Bytes::new(),
        };
        let read = read_rows(without_mark(pieces), format, &mut rows);
        (read, rows)
    });
    let (passed_on, read) = tokio::join!(pass_on(body, sender), reading);
    let (read, rows) = read?;
    // A body that was cut off may look complete to `read_rows`, so an error of the transfer takes precedence.
    let bytes = passed_on?;
    let (around, value) = read?;
    Ok(Upload {
        around,
        rows,
        digest: BodyDigest { bytes, value },
    })
}

/// Reads a body into memory as a whole.
pub(super) async fn read_whole(body: Body) -> Result<Vec<u8>, BulkError> {
    let (sender, mut pieces) = mpsc::channel::<Bytes>(PIECES);
    let gathering = async {
        let mut whole = Vec::new();
        while let Some(piece) = pieces.recv().await {
            whole.extend_from_slice(&piece);
        }
        whole
    };
    let (passed_on, whole) = tokio::join!(pass_on(body, sender), gathering);
    passed_on?;
    Ok(whole)
}

/// Passes a body to the thread that reads its rows, and returns the digest of the body's bytes. Even if that thread has
/// stopped, the rest of the body is read, so that the client receives the answer.
async fn pass_on(body: Body, sender: mpsc::Sender<Bytes>) -> Result<[u8; 32], BulkError> {
    let mut stream = body.into_data_stream();
    let mut digest = Sha256::new();
    let mut size = 0;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| unreadable(error.into()))?;
        size += piece.len();
        if size > UPLOAD_LIMIT {
            return Err(BulkError::UploadTooLarge);
        }
        digest.update(&piece);
        drop(sender.send(piece).await);
    }
    Ok(digest.finalize().into())
}

/// The members of the upload other than its rows, and the digest of the upload's JSON value. A table has no such
/// digest.
type Contents = (Vec<(String, Box<RawValue>)>, Option<[u8; 32]>);

/// Reads the rows of an upload, and checks each.
pub(super) fn read_rows(
    pieces: impl Read,
    format: Format,
    rows: &mut Rows,
) -> Result<Contents, ApiError> {
    let mut digest = RowsDigest::new();
    let around = match format {
        Format::Json => json_rows::read_object(pieces, rows, &mut digest).map_err(|error| {
            if error.is_data() {
                let message = "must be a JSON object whose operations are an array";
                ApiError::Invalid(vec![problem("", "wrong_type", message)])
            } else {
                ApiError::BrokenJson(error)
            }
        })?,
        Format::Lines => {
            json_rows::read_lines(pieces, rows, &mut digest)
                .map_err(|error| ApiError::UnreadableBody(error.into()))?;
            Vec::new()
        }
        Format::Csv => {
            digest = RowsDigest::none();
            csv_rows::read_rows(pieces, rows);
            Vec::new()
        }
    };
    let value = digest.finish(&around);
    Ok((around, value))
}

/// The text without a byte order mark.
pub(super) fn without_mark(mut text: impl Read) -> impl Read {
    let mut first = Vec::new();
    // An error is ignored here, because `pass_on` reports the errors of the body.
    let _read = text.by_ref().take(3).read_to_end(&mut first);
    let first = without_byte_order_mark(&first).to_vec();
    Cursor::new(first).chain(text)
}

/// The pieces of a body as they arrive, for a reader in a thread of its own.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        let mut rest: &[u8] = &self.current;
        let count = rest.read(buffer)?;
        drop(self.current.split_to(count));
        Ok(count)
    }
}
