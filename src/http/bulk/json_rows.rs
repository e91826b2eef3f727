//! Rows in JSON: `{"status": TYPE, "data": {...}, "consent_id"?, "expires_at"?}`, in an array, or one
//! per line.

use std::{
    fmt,
    io::{BufRead, BufReader, Read},
};

use serde::{
    Deserializer as _,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    error::At,
    request::{checked_name, problem, too_large},
    rows::{Draft, Rows},
};
use crate::{
    http::{body::BODY_LIMIT, envelope, json_value::RowsDigest},
    operations::Entries,
    table::TOO_LARGE,
};

/// The members of the upload other than `operations`.
type Around = Vec<(String, Box<RawValue>)>;

/// Reads one object, whose `operations` are the rows. Returns the other members of the object.
pub(super) fn read_object(
    reader: impl Read,
    rows: &mut Rows,
    digest: &mut RowsDigest,
) -> Result<Around, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(reader));
    let around = json.deserialize_map(UploadVisitor { rows, digest })?;
    json.end()?;
    Ok(around)
}

/// Reads one row per line, and ignores blank lines.
pub(super) fn read_lines(
    reader: impl Read,
    rows: &mut Rows,
    digest: &mut RowsDigest,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    let mut number = 0;
    while reader.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        let text = line.trim_ascii();
        if !text.is_empty() {
            add(rows, digest, Some(number), text);
        }
        line.clear();
    }
    Ok(())
}

fn add(rows: &mut Rows, digest: &mut RowsDigest, line: Option<usize>, text: &[u8]) {
    if text.len() > BODY_LIMIT {
        *digest = RowsDigest::none();
        return rows.add(Draft {
            line,
            problems: vec![too_large()],
            ..Draft::default()
        });
    }
    digest.add(text);
    match serde_json::from_slice(text) {
        Ok(Entries(entries)) => rows.add(Draft {
            line,
            ..draft(&entries)
        }),
        Err(error) => {
            let fault = if error.is_data() {
                problem("", "wrong_type", "must be a JSON object")
            } else {
                let message = format!("is not valid JSON; it breaks at column {}", error.column());
                problem("", "broken_json", message)
            };
            rows.add(Draft {
                line,
                problems: vec![fault],
                ..Draft::default()
            });
        }
    }
}

fn draft<'a>(entries: &[(String, &'a RawValue)]) -> Draft<'a> {
    let known = ["status", "data", "consent_id", "expires_at"];
    let mut problems = envelope::unknown_and_repeated(entries, &known);
    let entry = envelope::value("status", entries, &mut problems).and_then(|status| {
        envelope::entry(status)
            .map_err(|fault| problems.push(fault))
            .ok()
    });
    let data = envelope::value("data", entries, &mut problems);
    let consent_id = entries
        .iter()
        .find(|(key, value)| key == "consent_id" && value.get() != "null")
        .map(|(_, value)| {
            serde_json::from_str(value.get())
                .or(Err(problem("/consent_id", "wrong_type", "must be a text")))
                .and_then(|name| checked_name("/consent_id", name))
        })
        .and_then(|name| name.map_err(|fault| problems.push(fault)).ok());
    let expires_at = envelope::expiry(entries, &mut problems);
    Draft {
        consent_id,
        expires_at,
        entry,
        data,
        line: None,
        problems,
    }
}

struct UploadVisitor<'a> {
    rows: &'a mut Rows,
    digest: &'a mut RowsDigest,
}

impl<'de> Visitor<'de> for UploadVisitor<'_> {
    type Value = Around;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut around = Around::new();
        let mut left = Some(BODY_LIMIT);
        let mut has_rows = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "operations" && !has_rows {
                map.next_value_seed(RowsSeed {
                    rows: self.rows,
                    digest: self.digest,
                })?;
                has_rows = true;
            } else {
                if key == "operations" {
                    *self.digest = RowsDigest::none();
                }
                let value: Box<RawValue> = map.next_value()?;
                let size = key.len() + value.get().len();
                let rest = left.and_then(|left| left.checked_sub(size));
                if rest.is_some() {
                    around.push((key, value));
                } else if left.is_some() {
                    self.refuse_rest();
                }
                left = rest;
            }
        }
        Ok(around)
    }
}

impl UploadVisitor<'_> {
    /// Refuses an upload whose other members are larger than an operation may be.
    fn refuse_rest(&mut self) {
        *self.digest = RowsDigest::none();
        let message = format!("must have at most {BODY_LIMIT} bytes besides its operations");
        let fault = problem("", TOO_LARGE, message);
        self.rows.break_off(At::default(), vec![fault]);
    }
}

struct RowsSeed<'a> {
    rows: &'a mut Rows,
    digest: &'a mut RowsDigest,
}

impl<'de> DeserializeSeed<'de> for RowsSeed<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of operations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Box<RawValue>>()? {
            add(self.rows, self.digest, None, row.get().as_bytes());
        }
        Ok(())
    }
}
