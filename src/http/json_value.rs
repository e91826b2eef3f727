//! The digest of a JSON value. It does not depend on how the value is written.
//!
//! Two bodies have the same value if their objects have equal members in any order, their strings consist of the same
//! characters (without Unicode normalization), and their numbers have the same exact decimal value. A missing key
//! differs from a key that is null. Numbers are neither expanded nor converted to floats, so `1e400` costs no more
//! than `1`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::operations::Entries;

/// The deepest nesting that has a digest. No body that the gateway accepts is nested deeper.
const DEEPEST: usize = 16;

/// The SHA-256 digest of a body's value. `None` if the body has no single value: it is not JSON, one of its objects
/// contains a key more than once, or it is nested too deeply. The gateway treats two such bodies as equal only if their
/// bytes are equal.
pub(super) fn digest(body: &[u8]) -> Option<[u8; 32]> {
    let canonical = canonical(serde_json::from_slice(body).ok()?)?;
    Some(Sha256::digest(canonical).into())
}

/// The digest of the value of an upload, computed row by row. It contains `None` if the upload has no single value.
#[derive(Clone, Debug)]
pub(super) struct RowsDigest(Option<Sha256>);

impl RowsDigest {
    /// The digest before the first row.
    pub(super) fn new() -> Self {
        Self(Some(Sha256::new()))
    }

    /// The digest of an upload that has no single value.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Adds a row. If the row has no single value, the upload has no single value either.
    pub(super) fn add(&mut self, row: &[u8]) {
        let canonical = serde_json::from_slice(row).ok().and_then(canonical);
        self.0 = self
            .0
            .take()
            .zip(canonical)
            .map(|(digest, row)| digest.chain_update(Sha256::digest(row)));
    }

    /// Adds the other members of the upload, and returns the digest.
    pub(super) fn finish(self, around: &[(String, Box<RawValue>)]) -> Option<[u8; 32]> {
        let around = around
            .iter()
            .map(|(key, value)| (key.clone(), &**value))
            .collect();
        let mut canonical = Vec::new();
        write_object(around, DEEPEST, &mut canonical)?;
        // The word `around` separates the digests of the rows from the other members of the upload. It is shorter than
        // a digest, so it cannot be mistaken for one.
        let digest = self.0?.chain_update(b"around");
        Some(digest.chain_update(canonical).finalize().into())
    }
}

fn canonical(value: &RawValue) -> Option<Vec<u8>> {
    let mut canonical = Vec::new();
    write(value, DEEPEST, &mut canonical)?;
    Some(canonical)
}

/// Writes the canonical form of a value. No canonical form is a prefix of another canonical form.
fn write(value: &RawValue, depth: usize, canonical: &mut Vec<u8>) -> Option<()> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'{' => {
            let Entries(entries) = serde_json::from_str(text).ok()?;
            write_object(entries, depth, canonical)?;
        }
        b'[' => {
            let depth = depth.checked_sub(1)?;
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            write_length(b'[', items.len(), canonical);
            for item in items {
                write(item, depth, canonical)?;
            }
        }
        b'"' => write_text(&serde_json::from_str::<String>(text).ok()?, canonical),
        b'-' | b'0'..=b'9' => write_number(text, canonical)?,
        // `true`, `false` or `null`: the first letter identifies the value.
        first => canonical.push(*first),
    }
    Some(())
}

fn write_object(
    entries: Vec<(String, &RawValue)>,
    depth: usize,
    canonical: &mut Vec<u8>,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let count = entries.len();
    let entries: BTreeMap<String, &RawValue> = entries.into_iter().collect();
    if entries.len() < count {
        return None;
    }
    write_length(b'{', count, canonical);
    for (key, value) in entries {
        write_text(&key, canonical);
        write(value, depth, canonical)?;
    }
    Some(())
}

fn write_text(text: &str, canonical: &mut Vec<u8>) {
    write_length(b'"', text.len(), canonical);
    canonical.extend_from_slice(text.as_bytes());
}

fn write_length(kind: u8, length: usize, canonical: &mut Vec<u8>) {
    canonical.push(kind);
    canonical.extend_from_slice(&length.to_be_bytes());
}

/// Writes a number as two parts: its significant digits, without leading and trailing zeros, and the power of ten of
/// the last significant digit.
fn write_number(text: &str, canonical: &mut Vec<u8>) -> Option<()> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (sign, whole) = match whole.strip_prefix('-') {
        Some(whole) => ("-", whole),
        None => ("", whole),
    };
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        canonical.extend_from_slice(b"#0;");
        return Some(());
    }
    let shift = i128::try_from(zeros).ok()? - i128::try_from(fraction.len()).ok()?;
    let power = exponent.parse::<i128>().ok()?.checked_add(shift)?;
    canonical.extend_from_slice(format!("#{sign}{significant}e{power};").as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_does_not_depend_on_how_a_value_is_written() {
        for (one, other) in [
            (
                r#"{"a":1,"b":[true,null]}"#,
                "{ \"b\" : [ true , null ] ,\n\"a\":1}",
            ),
            (r#""J\u00e9\ud83d\ude00\/""#, "\"Jé😀/\""),
            ("12", "12.0"),
            ("12", "1.2e1"),
            ("12", "1200E-2"),
            ("100000.10", "100000.1"),
            ("0", "-0.00e7"),
            ("1e400", "10e399"),
            ("1e99999999999", "0.1e100000000000"),
            ("-0.5", "-5e-1"),
        ] {
            let digest = digest(one.as_bytes());
            assert!(digest.is_some(), "{one}");
            assert_eq!(digest, super::digest(other.as_bytes()), "{one} {other}");
        }
    }

    #[test]
    fn different_values_have_different_digests() {
        for (one, other) in [
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            ("12", "\"12\""),
            ("12", "12.000000000000000000000000000000001"),
            ("12", "-12"),
            ("9007199254740993", "9007199254740992"),
            ("1e400", "1e401"),
            (r#""é""#, r#""e\u0301""#),
            (r#""a""#, r#""A""#),
            ("[1,2]", "[2,1]"),
            ("[[1],2]", "[[1,2]]"),
            ("[]", "{}"),
            ("null", "false"),
            (r#"{"a":"b"}"#, r#"{"b":"a"}"#),
        ] {
            assert_ne!(
                digest(one.as_bytes()),
                digest(other.as_bytes()),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn a_body_without_a_single_value_has_no_digest() {
        let deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
        for body in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"[{"b":[{"a":1,"a":2}]}]"#,
            r#""\ud800""#,
            "1e999999999999999999999999999999999999999999",
            "{",
            "",
            "1 2",
            deep.as_str(),
        ] {
            assert_eq!(digest(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn the_digest_of_an_upload_covers_its_rows_and_the_members_beside_them() {
        let of = |rows: &[&str], around: &str| {
            let mut digest = RowsDigest::new();
            for row in rows {
                digest.add(row.as_bytes());
            }
            let entries: Entries<'_> = serde_json::from_str(around).unwrap();
            let around: Vec<_> = entries
                .0
                .into_iter()
                .map(|(key, value)| (key, value.to_owned()))
                .collect();
            digest.finish(&around)
        };
        let one = of(&[r#"{"a":1}"#, "{}"], r#"{"x":1,"y":2}"#);
        assert!(one.is_some());
        assert_eq!(one, of(&[r#"{"a":1.0}"#, "{ }"], r#"{"y":2,"x":1}"#));
        for (rows, around) in [
            (&["{}", r#"{"a":1}"#][..], r#"{"x":1,"y":2}"#),
            (&[r#"{"a":1}"#, "{}", "{}"], r#"{"x":1,"y":2}"#),
            (&[r#"{"a":1}"#, "{}"], r#"{"x":1}"#),
        ] {
            assert_ne!(one, of(rows, around), "{rows:?} {around}");
        }
        assert_eq!(of(&["{}", r#"{"a":1,"a":1}"#, "{}"], "{}"), None);
        assert_eq!(of(&["{}"], r#"{"x":1,"x":1}"#), None);
    }
}
